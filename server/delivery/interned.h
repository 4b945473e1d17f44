// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Texts as small numbers: equal texts have the same number, and each is kept once. Inside this folder only.
//
// Threads    One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "server/delivery/slot_table.h"
#include "server/delivery/slots.h"

namespace crnpd::delivery {

class Interned {
public:
    // See SlotTable.
    void reserve(std::size_t count) { table_.reserve(count); }

    // noSlot for a text that nobody uses.
    [[nodiscard]] std::uint32_t find(std::string_view text) const;

    // Its number, which is used once more until release().
    std::uint32_t use(std::string_view text);
    void use(std::uint32_t number) { ++texts_[number].uses; }
    // A text that is used no more is forgotten, and its number may be given to another.
    void release(std::uint32_t number);

    [[nodiscard]] std::size_t size() const noexcept { return texts_.used(); }

private:
    struct Text {
        std::unique_ptr<char[]> bytes;
        std::uint32_t length = 0;
        std::uint32_t uses = 0;
    };

    [[nodiscard]] std::string_view textOf(std::uint32_t number) const;

    Slots<Text> texts_;
    SlotTable table_;
};

}  // namespace crnpd::delivery
