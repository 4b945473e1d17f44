// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/event_writer.h"

#include <algorithm>
#include <string_view>

#include "common/xml/text.h"

namespace crnpd::xml {
namespace {

bool isWritable(const NvPair& pair) noexcept {
    return isLegalText(pair.name) && !pair.values.empty() &&
           std::all_of(pair.values.begin(), pair.values.end(),
                       [](const std::string& value) { return isLegalText(value); });
}

void writeAttribute(std::string& out, std::string_view name, std::string_view value) {
    out.append(" ").append(name).append("=\"");
    appendAttribute(out, value);
    out += '"';
}

// As in an attribute, where line feeds become references too: the document stays one line.
void writeElement(std::string& out, std::string_view name, std::string_view text) {
    out.append("<").append(name).append(">");
    appendAttribute(out, text);
    out.append("</").append(name).append(">");
}

}  // namespace

bool isWritable(const Event& event) noexcept {
    return isLegalText(event.eventClass) && isLegalText(event.subclass) && isLegalText(event.vendor) &&
           isLegalText(event.publisher) &&
           std::all_of(event.pairs.begin(), event.pairs.end(),
                       [](const NvPair& pair) { return isWritable(pair); });
}

std::string writeEvent(const Event& event) {
    std::string out = R"(<?xml version="1.0" encoding="UTF-8"?><SC_EVENT VERSION="1.0")";
    writeAttribute(out, "CLASS", event.eventClass);
    writeAttribute(out, "SUBCLASS", event.subclass);
    writeAttribute(out, "VENDOR", event.vendor);
    writeAttribute(out, "PUBLISHER", event.publisher);
    if (event.pairs.empty()) return out + "/>";
    out += ">";
    for (const NvPair& pair : event.pairs) {
        out += "<NVPAIR>";
        writeElement(out, "NAME", pair.name);
        for (const std::string& value : pair.values)
            writeElement(out, "VALUE", value);
        out += "</NVPAIR>";
    }
    return out + "</SC_EVENT>";
}

}  // namespace crnpd::xml
