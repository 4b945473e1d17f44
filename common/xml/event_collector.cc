// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/event_collector.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <xercesc/framework/XMLAttr.hpp>

namespace crnpd::xml {
namespace {

struct Field {
    std::u16string_view attribute;
    std::string Event::*member;
};

constexpr std::array fields{
    Field{u"CLASS", &Event::eventClass},
    Field{u"SUBCLASS", &Event::subclass},
    Field{u"VENDOR", &Event::vendor},
    Field{u"PUBLISHER", &Event::publisher},
};

}  // namespace

Result<Event> EventCollector::read(std::string_view document, const Prolog& prolog, const Limits& limits) {
    event_ = {};
    if (auto done = collect(document, prolog, limits.depth); !done) return done.error();
    return std::exchange(event_, {});
}

void EventCollector::onOpened(std::size_t /*level*/, const Attributes& attributes, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const xercesc::XMLAttr& attribute = *attributes.elementAt(i);
        const std::u16string_view name = attribute.getQName();
        const auto* const field = std::find_if(fields.begin(), fields.end(),
                                               [&](const Field& row) { return row.attribute == name; });
        if (field != fields.end()) {
            event_.*(field->member) = utf8(attribute.getValue());
        } else if (name != u"VERSION") {
            refuseAttribute(attribute);
        }
    }
}

}  // namespace crnpd::xml
