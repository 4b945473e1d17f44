// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What a kind of document consists of: not to accept it (a schema does) but to say in words of ours what is
// wrong with one that was refused. Inside this folder only.
//
// Threads    Constants and functions without state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace crnpd::xml {

enum class Element : std::uint8_t { outside, root, registration, pair, name, value, unknown };

struct ElementRule {
    std::u16string_view name;  // empty: no element of this kind exists
    Element parent;
    std::string_view content;  // what may stand inside, for the message
    std::array<std::u16string_view, 5> attributes;
    std::size_t required;  // so many of them, from the first
    std::string_view attributeNames;
};

struct Vocabulary {
    std::array<ElementRule, 7> rules;  // by Element
    std::size_t levels;                // of a valid document
    // What is wrong with the value of an attribute of the root, VERSION apart; empty where nothing is.
    std::string (*rootFault)(std::u16string_view attribute, std::u16string_view value);

    [[nodiscard]] const ElementRule& rule(Element element) const {
        return rules[static_cast<std::size_t>(element)];
    }
    [[nodiscard]] Element named(std::u16string_view name) const;
};

[[nodiscard]] const Vocabulary& registrationVocabulary();
[[nodiscard]] const Vocabulary& eventVocabulary();

}  // namespace crnpd::xml
