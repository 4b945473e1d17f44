// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/retry_schedule.h"

#include <vector>

#include <gmock/gmock.h>

#include "tests/support/manual_clock.h"

namespace crnpd::delivery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using Verdict = RetrySchedule::Verdict;

class RetryScheduleTest : public testing::Test {
protected:
    // Waits until the next attempt is due and lets it fail after `patience`.
    Verdict fail(milliseconds patience = milliseconds{0}) {
        const auto due = schedule_.due(rules_);
        if (due > clock_.steady()) clock_.advance(std::chrono::ceil<milliseconds>(due - clock_.steady()));
        startedAt_.push_back(std::chrono::round<seconds>(clock_.steady() - begin_).count());
        schedule_.started(clock_.steady());
        clock_.advance(patience);
        return schedule_.failed(rules_);
    }
    [[nodiscard]] bool isDue() const { return schedule_.due(rules_) <= clock_.steady(); }

    support::ManualClock clock_;
    SteadyTime begin_ = clock_.steady();
    RetryRules rules_;
    RetrySchedule schedule_;
    std::vector<std::int64_t> startedAt_;
};

TEST_F(RetryScheduleTest, ComesSoonAtFirstAndLastAtTheEndOfTheWindow) {
    while (fail() == Verdict::tryAgain) {
    }
    EXPECT_THAT(startedAt_, ElementsAre(0, 2, 5, 12, 28, 64, 148, 340, 783, 1800));
}

TEST_F(RetryScheduleTest, TheFirstAttemptIsDueAtOnceAndTheSecondIsNot) {
    EXPECT_TRUE(isDue());
    EXPECT_EQ(fail(), Verdict::tryAgain);
    EXPECT_FALSE(isDue());
    clock_.advance(milliseconds{2299});
    EXPECT_FALSE(isDue());
    clock_.advance(milliseconds{2});
    EXPECT_TRUE(isDue());
}

TEST_F(RetryScheduleTest, AnAttemptThatTakesLongDelaysOnlyThoseThatWereDueMeanwhile) {
    while (fail(seconds{60}) == Verdict::tryAgain) {
    }
    EXPECT_THAT(startedAt_, ElementsAre(0, 60, 120, 180, 240, 300, 360, 420, 783, 1800));
}

TEST_F(RetryScheduleTest, GivesUpAfterOneAttemptWhereOnlyOneIsAllowed) {
    rules_.count = 1;
    EXPECT_EQ(fail(), Verdict::giveUp);
}

TEST_F(RetryScheduleTest, TwoAttemptsAreTheEndsOfTheWindow) {
    rules_ = {2, seconds{30}};
    while (fail() == Verdict::tryAgain) {
    }
    EXPECT_THAT(startedAt_, ElementsAre(0, 30));
}

TEST_F(RetryScheduleTest, NeverGoesBackwardsNorBeyondTheWindow) {
    for (const auto interval :
         {milliseconds{1}, milliseconds{500}, milliseconds{1000}, milliseconds{86'400'000}}) {
        for (const unsigned count : {1U, 2U, 3U, 100U}) {
            const RetryRules rules{count, interval};
            EXPECT_EQ(retryOffset(rules, 0), milliseconds{0});
            for (unsigned attempt = 1; attempt <= count + 1; ++attempt) {
                EXPECT_GE(retryOffset(rules, attempt), retryOffset(rules, attempt - 1));
                EXPECT_LE(retryOffset(rules, attempt), interval);
            }
        }
    }
}

TEST_F(RetryScheduleTest, AnyMessageOfTheClientStartsAnewAtOnce) {
    for (int i = 0; i < 9; ++i)
        EXPECT_EQ(fail(), Verdict::tryAgain);
    schedule_.heard();
    EXPECT_TRUE(isDue());
    EXPECT_EQ(schedule_.failures(), 0U);
    begin_ = clock_.steady();
    startedAt_.clear();
    while (fail() == Verdict::tryAgain) {
    }
    EXPECT_THAT(startedAt_, ElementsAre(0, 2, 5, 12, 28, 64, 148, 340, 783, 1800));
}

TEST_F(RetryScheduleTest, AnAttemptThatWasUnderWayWhenTheClientSpokeDoesNotCount) {
    rules_.count = 1;
    schedule_.started(clock_.steady());
    schedule_.heard();
    EXPECT_EQ(schedule_.failed(rules_), Verdict::tryAgain);
    EXPECT_TRUE(isDue());
    EXPECT_EQ(fail(), Verdict::giveUp);
}

TEST_F(RetryScheduleTest, ASuccessForgetsTheFailuresBeforeIt) {
    rules_.count = 2;
    EXPECT_EQ(fail(), Verdict::tryAgain);
    schedule_.started(clock_.steady());
    schedule_.succeeded();
    EXPECT_TRUE(isDue());
    EXPECT_EQ(fail(), Verdict::tryAgain);
    EXPECT_EQ(fail(), Verdict::giveUp);
}

TEST_F(RetryScheduleTest, ALowerCountHoldsFromTheNextFailureOn) {
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(fail(), Verdict::tryAgain);
    rules_.count = 3;
    EXPECT_EQ(fail(), Verdict::giveUp);
}

}  // namespace
}  // namespace crnpd::delivery
