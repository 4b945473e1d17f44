// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The gate that keeps a flood of one message from filling a disk: of each id the first lines of a second
// pass, the others are counted.
//
// Threads    Any, without locks. At the turn of a second a few lines more than the limit may pass.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/log.h"

namespace crnpd::logging {

class Flood {
public:
    struct Withheld {
        std::string_view id;
        std::uint64_t lines;
    };

    static constexpr std::uint32_t linesPerSecond = 200;
    static constexpr std::size_t places = 4096;

    explicit Flood(const Clock& clock) : clock_(clock) {}

    // `id` must be a string literal: it is kept.
    [[nodiscard]] bool admits(std::string_view id) noexcept;

    // What was withheld since the last call.
    [[nodiscard]] std::vector<Withheld> takeWithheld();

    // Where an id is counted. Two ids in one place would be counted together; a test sees to it that
    // there are none.
    [[nodiscard]] static std::size_t placeOf(std::string_view id) noexcept;

private:
    struct Place {
        std::atomic<std::int64_t> second{-1};
        std::atomic<std::uint32_t> lines{0};
        std::atomic<std::uint64_t> withheld{0};
        std::atomic<const char*> id{nullptr};
    };

    const Clock& clock_;
    std::array<Place, places> places_;
};

}  // namespace crnpd::logging
