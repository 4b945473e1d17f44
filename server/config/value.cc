// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/value.h"

#include <fmt/format.h>

namespace crnpd::config {
namespace {

constexpr std::size_t longestShown = 60;

struct Shown {
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const { return fmt::format("{}", value); }
    std::string operator()(const std::string& value) const { return shortInQuotes(value); }
    std::string operator()(const std::vector<Value>& value) const { return value.empty() ? "[]" : "a list"; }
    std::string operator()(const Value::Other& value) const { return std::string(value.what); }
};

// Where a cut at `length` does not split a character.
std::size_t characterBorder(std::string_view text, std::size_t length) {
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U)
        --length;
    return length;
}

}  // namespace

std::string Value::shown() const {
    return std::visit(Shown{}, content);
}

std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n') {
            result += "\\n";
        } else if (c == '\t') {
            result += "\\t";
        } else if (byte < 0x20 || byte == 0x7f) {
            result += fmt::format("\\u{:04X}", byte);
        } else {
            result += c;
        }
    }
    return result;
}

std::string inQuotes(std::string_view text) {
    std::string slashed;
    for (const char c : text) {
        if (c == '"' || c == '\\') slashed += '\\';
        slashed += c;
    }
    return '"' + escaped(slashed) + '"';
}

std::string shortInQuotes(std::string_view text) {
    if (text.size() <= longestShown) return inQuotes(text);
    return inQuotes(std::string(text.substr(0, characterBorder(text, longestShown))) + "…");
}

}  // namespace crnpd::config
