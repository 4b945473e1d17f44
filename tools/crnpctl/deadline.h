// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// How long something may still take.
#pragma once

#include <algorithm>
#include <chrono>
#include <climits>

namespace crnpd::crnpctl {

class Deadline {
public:
    explicit Deadline(std::chrono::milliseconds limit) : end_(std::chrono::steady_clock::now() + limit) {}

    // As poll() wants it; 0 when the time is over.
    [[nodiscard]] int forPoll() const noexcept {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now());
        return static_cast<int>(std::clamp<long long>(left.count(), 0, INT_MAX));
    }

private:
    std::chrono::steady_clock::time_point end_;
};

}  // namespace crnpd::crnpctl
