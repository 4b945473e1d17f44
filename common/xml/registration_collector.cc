// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/registration_collector.h"

#include <utility>

#include <xercesc/framework/XMLAttr.hpp>

#include "common/xml/text.h"

namespace crnpd::xml {
namespace {

// The levels of a valid document.
constexpr std::size_t rootLevel = 1;
constexpr std::size_t eventLevel = 2;
constexpr std::size_t pairLevel = 3;
constexpr std::size_t textLevel = 4;

}  // namespace

std::optional<std::uint16_t> portIn(std::u16string_view text) noexcept {
    unsigned port = 0;
    for (const char16_t unit : text) {
        if (unit < u'0' || unit > u'9') return std::nullopt;
        port = port * 10 + (unit - u'0');
        if (port > 65535) return std::nullopt;
    }
    if (port == 0) return std::nullopt;
    return static_cast<std::uint16_t>(port);
}

std::u16string_view trimmed(std::u16string_view text) noexcept {
    constexpr std::u16string_view space = u" \t\r\n";
    const auto first = text.find_first_not_of(space);
    if (first == std::u16string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(space) - first + 1);
}

Result<RegistrationMessage> RegistrationCollector::read(std::string_view document, const Prolog& prolog,
                                                        const ReaderLimits& limits) {
    limits_ = limits;
    depth_ = 0;
    message_ = {};
    if (auto done = run(document, prolog); !done) return done.error();
    return std::exchange(message_, {});
}

// The schema has the last word on names and places. It may speak only at an end tag, so that what is done
// here must be harmless for any element at any level.
void RegistrationCollector::onStart(std::u16string_view name, const Attributes& attributes,
                                    std::size_t count) {
    if (++depth_ > limits_.depth) stop({ErrorCode::invalid, "elements are nested too deeply", line()});
    switch (depth_) {
        case rootLevel:
            return readRoot(attributes, count);
        case eventLevel:
            return readEvent(attributes, count);
        case pairLevel:
            message_.events.back().pairs.emplace_back();
            break;
        case textLevel:
            inName_ = name == u"NAME";
            text_.clear();
            break;
        default:
            break;
    }
    if (count != 0) refuseAttribute(*attributes.elementAt(0));
}

// The schema lets declarations of namespaces and xsi:... pass, and so do no others get here.
void RegistrationCollector::refuseAttribute(const xercesc::XMLAttr& attribute) {
    stop({ErrorCode::invalid, "attribute " + quoted(utf8(attribute.getQName())) + " is not known", line()});
}

void RegistrationCollector::readRoot(const Attributes& attributes, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const xercesc::XMLAttr& attribute = *attributes.elementAt(i);
        const std::u16string_view name = attribute.getQName();
        const std::u16string_view value = attribute.getValue();
        if (name == u"PORT") {
            const auto port = portIn(value);
            if (!port) stop({ErrorCode::invalid, "PORT must be a decimal number from 1 to 65535", line()});
            message_.port = *port;
        } else if (name == u"REG_TYPE") {
            const auto type = registrationTypeNamed(utf8(trimmed(value)));
            if (!type) stop({ErrorCode::invalid, "REG_TYPE is not known", line()});
            message_.type = *type;
        } else if (name != u"VERSION") {
            refuseAttribute(attribute);
        }
    }
}

void RegistrationCollector::readEvent(const Attributes& attributes, std::size_t count) {
    if (message_.events.size() >= limits_.registrations) {
        stop({ErrorCode::noSpace,
              "more than " + std::to_string(limits_.registrations) +
                  " SC_EVENT_REG in one message: the server's limit registrations_per_client is reached",
              line()});
    }
    EventRegistration& event = message_.events.emplace_back();
    for (std::size_t i = 0; i < count; ++i) {
        const xercesc::XMLAttr& attribute = *attributes.elementAt(i);
        const std::u16string_view name = attribute.getQName();
        if (name == u"CLASS") {
            event.eventClass = utf8(attribute.getValue());
        } else if (name == u"SUBCLASS") {
            event.subclass = utf8(attribute.getValue());
        } else {
            refuseAttribute(attribute);
        }
    }
}

void RegistrationCollector::onText(std::u16string_view text) {
    if (depth_ == textLevel) text_ += text;
}

void RegistrationCollector::onEnd() {
    const std::size_t level = depth_--;
    if (level == eventLevel) return normalize(message_.events.back());
    if (level != textLevel) return;
    NvPair& pair = message_.events.back().pairs.back();
    if (inName_) {
        pair.name = utf8(text_);
    } else {
        pair.values.push_back(utf8(text_));
    }
}

}  // namespace crnpd::xml
