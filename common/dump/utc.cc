// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "common/dump/utc.h"

#include <charconv>

#include <fmt/format.h>

namespace crnpd::dump {
namespace {

constexpr std::string_view shape = "0000-00-00T00:00:00.000Z";

bool hasShape(std::string_view text) {
    if (text.size() != shape.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool isDigit = text[i] >= '0' && text[i] <= '9';
        if (shape[i] == '0' ? !isDigit : text[i] != shape[i]) return false;
    }
    return true;
}

int numberAt(std::string_view text, std::size_t at, std::size_t length) {
    int number = 0;
    std::from_chars(text.data() + at, text.data() + at + length, number);
    return number;
}

}  // namespace

std::string utcText(WallTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                       clock.subseconds().count());
}

std::optional<WallTime> readUtc(std::string_view text) {
    if (!hasShape(text)) return std::nullopt;
    const std::chrono::year_month_day date(std::chrono::year(numberAt(text, 0, 4)),
                                           std::chrono::month(static_cast<unsigned>(numberAt(text, 5, 2))),
                                           std::chrono::day(static_cast<unsigned>(numberAt(text, 8, 2))));
    if (!date.ok() || date.year() < std::chrono::year(1970)) return std::nullopt;
    const WallTime time = std::chrono::sys_days(date) + std::chrono::hours(numberAt(text, 11, 2)) +
                          std::chrono::minutes(numberAt(text, 14, 2)) +
                          std::chrono::seconds(numberAt(text, 17, 2)) +
                          std::chrono::milliseconds(numberAt(text, 20, 3));
    // 25:00 is no time of any day.
    if (utcText(time) != text) return std::nullopt;
    return time;
}

}  // namespace crnpd::dump
