// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/service/pulse.h"

#include <gtest/gtest.h>

#include "tests/support/manual_clock.h"

namespace crnpd::service {
namespace {

class PulseTest : public testing::Test {
protected:
    Pulse::Member member(const std::string& name) {
        return {name, [this](std::function<void()> work) { queue.push_back(std::move(work)); }};
    }

    support::ManualClock clock;
    Pulse pulse{clock};
    std::vector<std::function<void()>> queue;
    std::vector<Pulse::Member> members{member("committer")};
};

TEST_F(PulseTest, AThreadThatCameToItsWorkIsAlive) {
    EXPECT_TRUE(pulse.beat(members).empty());
    queue.clear();
    EXPECT_TRUE(pulse.beat(members).empty());
    EXPECT_EQ(queue.size(), 1U) << "the next round";
}

TEST_F(PulseTest, AThreadThatHangsIsNamedWithTheTime) {
    pulse.beat(members);
    clock.advance(std::chrono::seconds{7});
    const auto late = pulse.beat(members);
    ASSERT_EQ(late.size(), 1U);
    EXPECT_EQ(late[0].name, "committer");
    EXPECT_EQ(late[0].since, std::chrono::seconds{7});
    EXPECT_EQ(queue.size(), 1U) << "it is not handed more";
}

TEST_F(PulseTest, AThreadThatIsGoneWithItsWorkIsNotLate) {
    pulse.beat({{"ended", [](const std::function<void()>&) {}}});
    EXPECT_TRUE(pulse.beat({}).empty());
}

TEST_F(PulseTest, WhoIsAtLongWorkIsNotLate) {
    bool isRestoring = true;
    std::vector<std::function<void()>> work;
    const std::vector<Pulse::Member> restoring{
        {"committer", [&](std::function<void()> piece) { work.push_back(std::move(piece)); },
         [&] { return isRestoring; }}};
    EXPECT_TRUE(pulse.beat(restoring).empty());
    clock.advance(std::chrono::minutes{5});
    EXPECT_TRUE(pulse.beat(restoring).empty());
    isRestoring = false;
    EXPECT_EQ(pulse.beat(restoring).size(), 1U);
    EXPECT_EQ(work.size(), 1U) << "and nothing was handed to it meanwhile";
}

}  // namespace
}  // namespace crnpd::service
