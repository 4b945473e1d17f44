// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/record_text.h"

#include <charconv>
#include <iterator>

namespace crnpd::record_text {

void append(std::string& out, std::size_t number) {
    char digits[20];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), number).ptr;
    out.append(digits, end);
    out.push_back(':');
}

void append(std::string& out, std::string_view text) {
    append(out, text.size());
    out.append(text);
}

void append(std::string& out, const NvPair& pair) {
    append(out, std::string_view{pair.name});
    append(out, pair.values.size());
    for (const std::string& value : pair.values)
        append(out, std::string_view{value});
}

std::optional<std::size_t> Reader::number() noexcept {
    std::size_t value = 0;
    const char* const begin = record_.data() + at_;
    const char* const end = record_.data() + record_.size();
    const auto [stop, error] = std::from_chars(begin, end, value);
    const bool leadingZero = stop - begin > 1 && *begin == '0';
    if (error != std::errc{} || stop == end || *stop != ':' || leadingZero) return std::nullopt;
    at_ = static_cast<std::size_t>(stop - record_.data()) + 1;
    return value;
}

std::optional<std::size_t> Reader::count(std::size_t shortestPart) noexcept {
    const auto value = number();
    if (!value || *value > rest() / shortestPart) return std::nullopt;
    return value;
}

std::optional<std::string_view> Reader::string() noexcept {
    const auto length = count(1);
    if (!length) return std::nullopt;
    const auto text = record_.substr(at_, *length);
    at_ += *length;
    return text;
}

std::optional<char> Reader::mark() noexcept {
    if (rest() == 0) return std::nullopt;
    return record_[at_++];
}

}  // namespace crnpd::record_text
