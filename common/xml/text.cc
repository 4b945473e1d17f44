// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/text.h"

#include <cstdint>

namespace crnpd::xml {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

struct Lead {
    std::size_t length;
    std::uint32_t bits;
    std::uint32_t smallest;  // what fits into fewer bytes must not be written with this many
};

Lead leadOf(unsigned char byte) noexcept {
    if ((byte & 0xE0U) == 0xC0U) return {2, byte & 0x1FU, 0x80};
    if ((byte & 0xF0U) == 0xE0U) return {3, byte & 0x0FU, 0x800};
    if ((byte & 0xF8U) == 0xF0U) return {4, byte & 0x07U, 0x10000};
    return {0, 0, 0};
}

bool isXmlCharacter(std::uint32_t code) noexcept {
    if (code < 0x20) return code == '\t' || code == '\n' || code == '\r';
    return code <= 0xD7FF || (code >= 0xE000 && code <= 0xFFFD) || (code >= 0x10000 && code <= 0x10FFFF);
}

// The length in bytes of the legal character that `text` begins with; 0 if there is none.
std::size_t legalCharacter(std::string_view text) noexcept {
    const auto first = static_cast<unsigned char>(text.front());
    if (first < 0x80) return isXmlCharacter(first) ? 1 : 0;
    const Lead lead = leadOf(first);
    if (lead.length == 0 || text.size() < lead.length) return 0;
    std::uint32_t code = lead.bits;
    for (std::size_t i = 1; i < lead.length; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if ((byte & 0xC0U) != 0x80U) return 0;
        code = code << 6U | (byte & 0x3FU);
    }
    return code >= lead.smallest && isXmlCharacter(code) ? lead.length : 0;
}

// The same without the control characters, also those above ASCII, which some terminals obey.
std::size_t printableCharacter(std::string_view text) noexcept {
    const std::size_t length = legalCharacter(text);
    const auto first = static_cast<unsigned char>(text.front());
    const bool low = length == 1 && (first < 0x20 || first == 0x7F);
    const bool high = length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    return low || high ? 0 : length;
}

std::string_view referenceIn(bool attribute, char character) noexcept {
    switch (character) {
        case '<':
            return "&lt;";
        case '>':
            return "&gt;";  // for "]]>"
        case '&':
            return "&amp;";
        case '\r':
            return "&#13;";
        case '"':
            return attribute ? "&quot;" : "";
        case '\t':
            return attribute ? "&#9;" : "";
        case '\n':
            return attribute ? "&#10;" : "";
        default:
            return "";
    }
}

void append(std::string& out, std::string_view text, bool attribute) {
    out.reserve(out.size() + text.size());
    while (!text.empty()) {
        const std::size_t length = legalCharacter(text);
        const std::string_view reference = referenceIn(attribute, text.front());
        if (length == 0) {
            out += replacement;
        } else if (!reference.empty()) {
            out += reference;
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
}

}  // namespace

bool isLegalText(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = legalCharacter(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

void appendContent(std::string& out, std::string_view text) {
    append(out, text, false);
}
void appendAttribute(std::string& out, std::string_view text) {
    append(out, text, true);
}

std::string quoted(std::string_view text, std::size_t longest) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out = "\"";
    while (!text.empty()) {
        const std::size_t length = printableCharacter(text);
        const std::size_t written = length == 0 ? 4 : length;
        if (out.size() - 1 + written > longest) return out + "…\"";
        if (length == 0) {
            const auto byte = static_cast<unsigned char>(text.front());
            out += {'\\', 'x', digits[byte >> 4U], digits[byte & 0xFU]};
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return out + '"';
}

}  // namespace crnpd::xml
