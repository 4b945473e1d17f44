// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/printable.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "common/xml/text.h"

namespace crnpd::crnpctl {
namespace {

// Bytes of the UTF-8 character that begins with `lead`, if it is one.
std::size_t lengthOf(unsigned char lead) noexcept {
    if (lead < 0x80) return 1;
    if (lead < 0xE0) return 2;
    return lead < 0xF0 ? 3 : 4;
}

bool isControl(std::string_view character) noexcept {
    const auto first = static_cast<unsigned char>(character[0]);
    if (character.size() == 1) return first < 0x20 || first == 0x7F;
    // U+0080 to U+009F: some terminals obey these as well.
    return first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        auto character = text.substr(0, lengthOf(static_cast<unsigned char>(text[0])));
        if (!isControl(character) && xml::isLegalText(character)) {
            out += character;
        } else {
            // Of what is broken only the first byte is known to be.
            if (!xml::isLegalText(character)) character = character.substr(0, 1);
            for (const char byte : character) {
                fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(byte));
            }
        }
        text.remove_prefix(character.size());
    }
    return out;
}

}  // namespace crnpd::crnpctl
