// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/mark_codec.h"

#include <charconv>
#include <cstdint>
#include <system_error>

namespace crnpd {
namespace {

bool take(std::string_view& text, std::string_view literal) {
    if (!text.starts_with(literal)) return false;
    text.remove_prefix(literal.size());
    return true;
}

bool take(std::string_view& text, std::uint64_t& number) {
    const auto* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{}) return false;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    return true;
}

bool read(std::string_view text, MarkRecord& mark) {
    if (!take(text, "up to ") || !take(text, mark.upTo)) return false;
    while (!text.empty()) {
        MarkRecord::Laggard laggard;
        const bool fits = take(text, ", client ") && take(text, laggard.client) && take(text, " at ") &&
                          take(text, laggard.position);
        const RecordId before = mark.laggards.empty() ? 0 : mark.laggards.back().client;
        if (!fits || laggard.client <= before || laggard.position >= mark.upTo) return false;
        mark.laggards.push_back(laggard);
    }
    return true;
}

}  // namespace

std::string encodeMark(const MarkRecord& mark) {
    std::string text = "up to " + std::to_string(mark.upTo);
    for (const auto& laggard : mark.laggards)
        text += ", client " + std::to_string(laggard.client) + " at " + std::to_string(laggard.position);
    return text;
}

// Whoever writes a number otherwise than we do is found by writing it again.
Result<MarkRecord> decodeMark(std::string_view text) {
    MarkRecord mark;
    if (!read(text, mark) || encodeMark(mark) != text)
        return Error{ErrorCode::damaged, "it is no mark that crnpd wrote"};
    return mark;
}

}  // namespace crnpd
