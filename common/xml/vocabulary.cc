// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/vocabulary.h"

#include "common/message.h"
#include "common/xml/parser.h"
#include "common/xml/registration_collector.h"
#include "common/xml/text.h"

namespace crnpd::xml {
namespace {

constexpr ElementRule nothing{u"", Element::unknown, "", {}, 0, ""};
constexpr ElementRule nameRule{u"NAME", Element::pair, "text only", {}, 0, "none"};
constexpr ElementRule valueRule{u"VALUE", Element::pair, "text only", {}, 0, "none"};

constexpr ElementRule outsideOf(std::string_view root) {
    return {u"", Element::unknown, root, {}, 0, ""};
}
constexpr ElementRule pairIn(Element parent) {
    return {u"NVPAIR", parent, "one NAME, then one or more VALUE", {}, 0, "none"};
}

std::string registrationFault(std::u16string_view attribute, std::u16string_view value) {
    if (attribute == u"PORT" && !portIn(value)) {
        return "PORT is " + shown(value) + "; expected a decimal number from 1 to 65535";
    }
    if (attribute == u"REG_TYPE" && !registrationTypeNamed(utf8(trimmed(value)))) {
        return "REG_TYPE is " + shown(value) +
               "; expected ADD_CLIENT, ADD_EVENTS, REMOVE_CLIENT or REMOVE_EVENTS";
    }
    return {};
}

std::string noFault(std::u16string_view /*attribute*/, std::u16string_view /*value*/) {
    return {};
}

}  // namespace

Element Vocabulary::named(std::u16string_view name) const {
    for (const auto element :
         {Element::root, Element::registration, Element::pair, Element::name, Element::value}) {
        if (rule(element).name == name) return element;
    }
    return Element::unknown;
}

const Vocabulary& registrationVocabulary() {
    static constexpr Vocabulary vocabulary{
        {{
            outsideOf("SC_CALLBACK_REG"),
            {u"SC_CALLBACK_REG",
             Element::outside,
             "SC_EVENT_REG",
             {u"PORT", u"REG_TYPE", u"VERSION"},
             2,
             "PORT, REG_TYPE and VERSION"},
            {u"SC_EVENT_REG", Element::root, "NVPAIR", {u"CLASS", u"SUBCLASS"}, 1, "CLASS and SUBCLASS"},
            pairIn(Element::registration),
            nameRule,
            valueRule,
            nothing,
        }},
        4,
        registrationFault};
    return vocabulary;
}

const Vocabulary& eventVocabulary() {
    static constexpr Vocabulary vocabulary{{{
                                               outsideOf("SC_EVENT"),
                                               {u"SC_EVENT",
                                                Element::outside,
                                                "NVPAIR",
                                                {u"CLASS", u"SUBCLASS", u"VENDOR", u"PUBLISHER", u"VERSION"},
                                                4,
                                                "CLASS, SUBCLASS, VENDOR, PUBLISHER and VERSION"},
                                               nothing,
                                               pairIn(Element::root),
                                               nameRule,
                                               valueRule,
                                               nothing,
                                           }},
                                           3,
                                           noFault};
    return vocabulary;
}

}  // namespace crnpd::xml
