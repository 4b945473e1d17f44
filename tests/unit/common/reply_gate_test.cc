// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/reply_gate.h"

#include <utility>

#include <gtest/gtest.h>

namespace crnpd {
namespace {

class ReplyGateTest : public testing::Test {
protected:
    ReplyGate gate;
    int called = 0;

    bool await() {
        return gate.whenOpened([this] { ++called; });
    }
};

TEST_F(ReplyGateTest, CallsOnceHoweverOftenItIsOpened) {
    EXPECT_TRUE(await());
    EXPECT_EQ(called, 0);
    gate.open();
    gate.open();
    EXPECT_EQ(called, 1);
}

TEST_F(ReplyGateTest, SaysSoWhenItIsOpenAlready) {
    gate.open();
    EXPECT_FALSE(await());
    gate.open();
    EXPECT_EQ(called, 0);
}

TEST_F(ReplyGateTest, CallsWhoeverWaitsLast) {
    int others = 0;
    EXPECT_TRUE(gate.whenOpened([&others] { ++others; }));
    EXPECT_TRUE(await());
    gate.open();
    EXPECT_EQ(others, 0);
    EXPECT_EQ(called, 1);
}

TEST_F(ReplyGateTest, IsOpenForWhomItCalls) {
    bool wasOpen = false;
    EXPECT_TRUE(gate.whenOpened([&] { wasOpen = gate.isOpen(); }));
    gate.open();
    EXPECT_TRUE(wasOpen);
}

TEST_F(ReplyGateTest, OpensWithTheLastHold) {
    const auto shared = std::make_shared<ReplyGate>();
    {
        ReplyHold first(shared);
        const ReplyHold second(std::move(first));
        EXPECT_FALSE(shared->isOpen());
    }
    EXPECT_TRUE(shared->isOpen());
}

}  // namespace
}  // namespace crnpd
