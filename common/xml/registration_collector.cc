// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/registration_collector.h"

#include <utility>

#include <xercesc/framework/XMLAttr.hpp>

namespace crnpd::xml {
namespace {

constexpr std::size_t rootLevel = 1;

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

Result<RegistrationMessage> RegistrationCollector::read(std::string_view document, const Prolog& prolog,
                                                        const ReaderLimits& limits) {
    limits_ = limits;
    message_ = {};
    if (auto done = collect(document, prolog, limits.depth); !done) return done.error();
    return std::exchange(message_, {});
}

void RegistrationCollector::onOpened(std::size_t level, const Attributes& attributes, std::size_t count) {
    if (level == rootLevel) {
        readRoot(attributes, count);
    } else {
        readEvent(attributes, count);
    }
}

void RegistrationCollector::onClosed(std::size_t level) {
    if (level != rootLevel) normalize(message_.events.back());
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

}  // namespace crnpd::xml
