// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/registration_writer.h"

#include <string_view>

#include "common/xml/text.h"

namespace crnpd::xml {
namespace {

// A CDATA section can hold no "]]>", no reference, and a parser turns a carriage return in it into a line
// feed.
bool fitsCdata(std::string_view text) {
    return text.find('\r') == std::string_view::npos && text.find("]]>") == std::string_view::npos &&
           isLegalText(text);
}

void writeText(std::string& out, std::string_view element, std::string_view text) {
    out.append("<").append(element).append(">");
    if (fitsCdata(text)) {
        out.append("<![CDATA[").append(text).append("]]>");
    } else {
        appendContent(out, text);
    }
    out.append("</").append(element).append(">");
}

void writeEvent(std::string& out, const EventRegistration& event) {
    out += "<SC_EVENT_REG CLASS=\"";
    appendAttribute(out, event.eventClass);
    if (event.subclass) {
        out += "\" SUBCLASS=\"";
        appendAttribute(out, *event.subclass);
    }
    if (event.pairs.empty()) {
        out += "\"/>";
        return;
    }
    out += "\">";
    for (const NvPair& pair : event.pairs) {
        out += "<NVPAIR>";
        writeText(out, "NAME", pair.name);
        for (const std::string& value : pair.values)
            writeText(out, "VALUE", value);
        out += "</NVPAIR>";
    }
    out += "</SC_EVENT_REG>";
}

}  // namespace

std::string writeRegistration(const RegistrationMessage& message) {
    std::string out = R"(<?xml version="1.0" encoding="UTF-8" standalone="no"?><SC_CALLBACK_REG PORT=")";
    out.append(std::to_string(message.port)).append("\" REG_TYPE=\"").append(name(message.type));
    out += "\" VERSION=\"1.0\"";
    if (message.events.empty()) return out + "/>";
    out += ">";
    for (const EventRegistration& event : message.events)
        writeEvent(out, event);
    return out + "</SC_CALLBACK_REG>";
}

}  // namespace crnpd::xml
