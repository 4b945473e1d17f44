// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/slot_table.h"

#include <random>
#include <set>

#include <gtest/gtest.h>

namespace crnpd::delivery {
namespace {

// A table of the numbers themselves. `spread` = 1 makes every hash collide with its neighbours'.
class Numbers {
public:
    explicit Numbers(std::size_t spread) : spread_(spread) {}

    void add(std::uint32_t number) {
        table_.add(number, hash(number), [this](std::uint32_t other) { return hash(other); });
    }
    void remove(std::uint32_t number) {
        table_.remove(number, hash(number), [this](std::uint32_t other) { return hash(other); });
    }
    [[nodiscard]] bool has(std::uint32_t number) const {
        return table_.find(hash(number), [&](std::uint32_t other) { return other == number; }) == number;
    }

private:
    [[nodiscard]] std::size_t hash(std::uint32_t number) const { return number / spread_ * 31; }

    std::size_t spread_;
    SlotTable table_;
};

TEST(SlotTable, FindsWhatIsThereAndNothingElse) {
    for (const std::size_t spread : {1U, 7U, 1000U}) {
        std::mt19937 random(3);
        Numbers numbers(spread);
        std::set<std::uint32_t> expected;
        EXPECT_FALSE(numbers.has(0));
        for (int step = 0; step < 5000; ++step) {
            const auto number = static_cast<std::uint32_t>(random() % 300);
            if (expected.erase(number) > 0) {
                numbers.remove(number);
            } else {
                expected.insert(number);
                numbers.add(number);
            }
            const auto other = static_cast<std::uint32_t>(random() % 300);
            ASSERT_EQ(numbers.has(other), expected.contains(other)) << spread << " " << step;
        }
        for (std::uint32_t number = 0; number < 300; ++number)
            EXPECT_EQ(numbers.has(number), expected.contains(number));
    }
}

}  // namespace
}  // namespace crnpd::delivery
