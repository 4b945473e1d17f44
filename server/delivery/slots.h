// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Objects that are called by small numbers instead of pointers: half the size, and a number that was given
// back is given out again. Inside this folder only.
//
// Threads    One thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

namespace crnpd::delivery {

inline constexpr std::uint32_t noSlot = 0xFFFFFFFF;

template <typename T>
class Slots {
public:
    // The number of a new T{}.
    std::uint32_t add() {
        if (free_.empty()) {
            all_.emplace_back();
            return static_cast<std::uint32_t>(all_.size() - 1);
        }
        const std::uint32_t number = free_.back();
        free_.pop_back();
        return number;
    }
    // What it held is gone at once.
    void remove(std::uint32_t number) {
        all_[number] = T{};
        free_.push_back(number);
    }

    T& operator[](std::uint32_t number) { return all_[number]; }
    const T& operator[](std::uint32_t number) const { return all_[number]; }

    [[nodiscard]] std::size_t used() const noexcept { return all_.size() - free_.size(); }

private:
    std::deque<T> all_;  // never moves what it holds, and grows by pieces instead of by doubling
    std::vector<std::uint32_t> free_;
};

}  // namespace crnpd::delivery
