// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Finds the number of a slot by what stands in it: a hash table that keeps nothing but the numbers, 5 to 11
// bytes each. Inside this folder only.
//
// Cost       Constant, but for an add() that makes the table larger: that one looks at every slot.
// Threads    One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "server/delivery/slots.h"

namespace crnpd::delivery {

class SlotTable {
public:
    // noSlot if there is none with that hash for which `equal(number)` is true.
    template <typename Equal>
    [[nodiscard]] std::uint32_t find(std::size_t hash, const Equal& equal) const {
        if (cells_.empty()) return noSlot;
        for (std::size_t at = hash & mask(); cells_[at] != noSlot; at = next(at)) {
            if (equal(cells_[at])) return cells_[at];
        }
        return noSlot;
    }

    // Room for so many, so that adding them does not make the table larger. Only while it is empty.
    void reserve(std::size_t count) {
        if (used_ > 0) return;
        std::size_t cells = fewest;
        while (cells * 3 < count * 4)
            cells *= 2;
        cells_.assign(cells, noSlot);
    }

    // `hashOf(number)` must say `hash` for this one, and for every other one what it was added with.
    template <typename HashOf>
    void add(std::uint32_t number, std::size_t hash, const HashOf& hashOf) {
        if ((used_ + 1) * 4 > cells_.size() * 3) grow(hashOf);
        place(number, hash);
        ++used_;
    }

    // It must be there.
    template <typename HashOf>
    void remove(std::uint32_t number, std::size_t hash, const HashOf& hashOf) {
        std::size_t hole = hash & mask();
        while (cells_[hole] != number)
            hole = next(hole);
        --used_;
        // Whoever would not be found across the hole moves into it.
        for (std::size_t at = next(hole); cells_[at] != noSlot; at = next(at)) {
            const std::size_t home = hashOf(cells_[at]) & mask();
            if (((at - home) & mask()) < ((at - hole) & mask())) continue;
            cells_[hole] = cells_[at];
            hole = at;
        }
        cells_[hole] = noSlot;
    }

private:
    static constexpr std::size_t fewest = 16;

    [[nodiscard]] std::size_t mask() const noexcept { return cells_.size() - 1; }
    [[nodiscard]] std::size_t next(std::size_t at) const noexcept { return (at + 1) & mask(); }

    void place(std::uint32_t number, std::size_t hash) {
        std::size_t at = hash & mask();
        while (cells_[at] != noSlot)
            at = next(at);
        cells_[at] = number;
    }

    template <typename HashOf>
    void grow(const HashOf& hashOf) {
        const auto old = std::exchange(
            cells_, std::vector<std::uint32_t>(cells_.empty() ? fewest : cells_.size() * 2, noSlot));
        for (const std::uint32_t number : old) {
            if (number != noSlot) place(number, hashOf(number));
        }
    }

    std::vector<std::uint32_t> cells_;  // a power of two
    std::size_t used_ = 0;
};

}  // namespace crnpd::delivery
