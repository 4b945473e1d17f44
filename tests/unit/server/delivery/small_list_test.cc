// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/small_list.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace crnpd::delivery {
namespace {

std::vector<int> contentOf(const SmallList<int>& list) {
    return {list.begin(), list.end()};
}

TEST(SmallList, GrowsAndShrinksLikeAVector) {
    std::mt19937 random(1);
    SmallList<int> list;
    std::vector<int> expected;
    for (int step = 0; step < 20000; ++step) {
        // In waves, so that it is often empty, has one, or has many.
        const bool push = random() % 100 < (step / 500 % 2 == 0 ? 70U : 30U);
        if (push) {
            list.push(step);
            expected.push_back(step);
        } else if (!expected.empty()) {
            list.pop();
            expected.pop_back();
        }
        ASSERT_EQ(contentOf(list), expected) << step;
    }
}

TEST(SmallList, MovesWhateverItHolds) {
    for (const int count : {0, 1, 2, 9}) {
        SmallList<int> list;
        for (int i = 0; i < count; ++i)
            list.push(i);
        const auto expected = contentOf(list);
        SmallList<int> taken(std::move(list));
        SmallList<int> assigned;
        assigned.push(7);
        assigned.push(8);
        assigned = std::move(taken);
        EXPECT_EQ(contentOf(assigned), expected);
    }
}

}  // namespace
}  // namespace crnpd::delivery
