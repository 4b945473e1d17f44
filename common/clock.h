// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Time as an input: code that decides by time is handed a Clock, so that a test can be its own.
//
// Threads    Every method may be called from any thread.
#pragma once

#include <chrono>

namespace crnpd {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;
using SteadyTime = std::chrono::steady_clock::time_point;

class Clock {
public:
    Clock() = default;
    virtual ~Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;

    // For what outlives a process or is read on another node; may jump.
    [[nodiscard]] virtual WallTime wall() const noexcept = 0;
    // For durations and deadlines inside this process.
    [[nodiscard]] virtual SteadyTime steady() const noexcept = 0;
};

class SystemClock final : public Clock {
public:
    [[nodiscard]] WallTime wall() const noexcept override {
        return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    }
    [[nodiscard]] SteadyTime steady() const noexcept override { return std::chrono::steady_clock::now(); }
};

}  // namespace crnpd
