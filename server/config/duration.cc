// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/duration.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>

namespace crnpd::config {
namespace {

struct Unit {
    std::string_view name;
    std::int64_t milliseconds;
};

constexpr std::array<Unit, 5> units{
    {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};

Error invalid(std::string text) {
    return Error{ErrorCode::invalidArgument, std::move(text)};
}

}  // namespace

Result<std::chrono::milliseconds> parseDuration(std::string_view text) {
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto unitName = text.substr(digits);
    if (digits == 0) return invalid("is not a number with a unit");
    if (unitName.empty()) return invalid("has no unit: write \"" + std::string(text) + "s\" for seconds");

    const auto unit = std::ranges::find(units, unitName, &Unit::name);
    if (unit == units.end()) return invalid("is not one whole number with one unit");

    std::int64_t count = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + digits, count);
    if (error != std::errc{} || count > std::numeric_limits<std::int64_t>::max() / unit->milliseconds) {
        return invalid("is out of range");
    }
    return std::chrono::milliseconds(count * unit->milliseconds);
}

std::string durationText(std::chrono::milliseconds duration) {
    const auto count = duration.count();
    const Unit* best = &units[0];
    for (const auto& unit : units) {
        if (unit.name != "d" && count != 0 && count % unit.milliseconds == 0) best = &unit;
    }
    return std::to_string(count / best->milliseconds) + std::string(best->name);
}

}  // namespace crnpd::config
