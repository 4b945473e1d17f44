// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/promptness.h"

#include <gtest/gtest.h>

namespace crnpd::delivery {
namespace {

// Occasions passed over before the next look.
unsigned passedOver(Promptness& promptness) {
    unsigned count = 0;
    while (!promptness.paysToLook())
        ++count;
    return count;
}

TEST(PromptnessTest, LooksEachTimeWhileThatPaysOff) {
    Promptness promptness;
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(passedOver(promptness), 0U);
        promptness.paidOff();
    }
}

TEST(PromptnessTest, LooksMoreAndMoreRarelyInVain) {
    Promptness promptness;
    for (const unsigned count : {0U, 1U, 3U, 7U, 15U, 31U, 63U, 127U, 127U}) {
        EXPECT_EQ(passedOver(promptness), count);
        promptness.wasInVain();
    }
}

TEST(PromptnessTest, OneThatPaysOffMakesUpForAllInVain) {
    Promptness promptness;
    for (int i = 0; i < 20; ++i) {
        EXPECT_LE(passedOver(promptness), Promptness::mostPassedOver);
        promptness.wasInVain();
    }
    EXPECT_EQ(passedOver(promptness), Promptness::mostPassedOver);
    promptness.paidOff();
    EXPECT_EQ(passedOver(promptness), 0U);
    promptness.wasInVain();
    EXPECT_EQ(passedOver(promptness), 1U);
}

}  // namespace
}  // namespace crnpd::delivery
