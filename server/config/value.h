// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What stands on the right of a "=" in a settings file, free of the library that read it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace crnpd::config {

struct Value {
    // What no setting can be: a date, a section inside a list.
    struct Other {
        std::string_view what;
    };

    std::variant<bool, std::int64_t, double, std::string, std::vector<Value>, Other> content;
    unsigned line = 0;

    template <typename T>
    [[nodiscard]] const T* as() const noexcept {
        return std::get_if<T>(&content);
    }

    // For a message: 5, "text", a list.
    [[nodiscard]] std::string shown() const;
};

// In quotes, escaped so that a TOML parser reads `text` back.
[[nodiscard]] std::string inQuotes(std::string_view text);

// inQuotes(), but of reasonable length.
[[nodiscard]] std::string shortInQuotes(std::string_view text);

// Line breaks and other control characters as \n and \u0001, so that a message stays one line.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace crnpd::config
