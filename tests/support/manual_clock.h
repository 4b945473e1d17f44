// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A clock that stands still until a test moves it.
#pragma once

#include <atomic>

#include "common/clock.h"

namespace crnpd::support {

class ManualClock final : public Clock {
public:
    [[nodiscard]] WallTime wall() const noexcept override {
        return WallTime(std::chrono::milliseconds(wall_));
    }
    [[nodiscard]] SteadyTime steady() const noexcept override {
        return SteadyTime(std::chrono::milliseconds(steady_));
    }

    void advance(std::chrono::milliseconds time) {
        wall_ += time.count();
        steady_ += time.count();
    }
    // As when an administrator sets the machine's clock.
    void setWall(WallTime time) { wall_ = time.time_since_epoch().count(); }

private:
    std::atomic<std::int64_t> wall_{1'700'000'000'000};
    std::atomic<std::int64_t> steady_{1'000'000};
};

}  // namespace crnpd::support
