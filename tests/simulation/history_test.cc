// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A checker that never finds anything would be a comfort and no proof.
#include "tests/support/history.h"

#include <gtest/gtest.h>

namespace crnpd::support {
namespace {

constexpr Events a = 1;
constexpr Events b = 2;
const ClientMessage addA{RegistrationType::addClient, a};
const ClientMessage alsoB{RegistrationType::addEvents, b};
const ClientMessage notA{RegistrationType::removeEvents, a};
const ClientMessage leave{RegistrationType::removeClient, 0};

class HistoryTest : public testing::Test {
protected:
    History history;

    [[nodiscard]] bool isBroken() const { return !history.violation().empty(); }
};

TEST_F(HistoryTest, WhatTheProtocolSaysIsPossible) {
    history.answered(leave, StatusCode::fail, 0);
    history.answered(addA, StatusCode::ok, 1);
    history.answered(alsoB, StatusCode::ok, 2);
    history.answered(alsoB, StatusCode::ok, 2);
    history.answered(notA, StatusCode::ok, 1);
    history.seen(b);
    history.answered(leave, StatusCode::ok, 0);
    history.answered(leave, StatusCode::ok, 0);
    history.answered(alsoB, StatusCode::fail, 0);
    history.seen(std::nullopt);
    EXPECT_EQ(history.violation(), "");
}

TEST_F(HistoryTest, AnAcknowledgedMessageThatIsGoneIsFound) {
    history.answered(addA, StatusCode::ok, 1);
    history.seen(std::nullopt);
    EXPECT_TRUE(isBroken());
}

TEST_F(HistoryTest, AnAcknowledgedMessageThatALaterAnswerDoesNotKnowOfIsFound) {
    history.answered(addA, StatusCode::ok, 1);
    history.answered(alsoB, StatusCode::fail, 0);
    EXPECT_TRUE(isBroken());
}

TEST_F(HistoryTest, ALostPartOfTheStateShowsInTheNumber) {
    history.answered(addA, StatusCode::ok, 1);
    history.answered(alsoB, StatusCode::ok, 1);
    EXPECT_TRUE(isBroken());
}

TEST_F(HistoryTest, ARefusalThatHadAnEffectIsFound) {
    for (const auto code : {StatusCode::retry, StatusCode::lowResource, StatusCode::systemError}) {
        history = History();
        history.answered(addA, StatusCode::ok, 1);
        history.answered(alsoB, code, 0);
        EXPECT_FALSE(isBroken());
        history.seen(a | b);
        EXPECT_TRUE(isBroken());
    }
}

TEST_F(HistoryTest, AMessageWithoutAnAnswerMayHaveHadItsEffectOrNotButDoesNotFlip) {
    history.answered(addA, StatusCode::ok, 1);
    history.unanswered(alsoB);
    EXPECT_EQ(history.possible().size(), 2U);
    history.seen(a);
    EXPECT_FALSE(isBroken());
    history.seen(a | b);
    EXPECT_TRUE(isBroken());
}

TEST_F(HistoryTest, HalfAnEffectIsFound) {
    history.unanswered({RegistrationType::addClient, a | b});
    history.seen(a);
    EXPECT_TRUE(isBroken());
}

TEST_F(HistoryTest, ARepetitionIsAnsweredAsTheFirstWouldHaveBeen) {
    history.answered(addA, StatusCode::ok, 1);
    history.unanswered(leave);
    history.answered(leave, StatusCode::fail, 0);
    EXPECT_TRUE(isBroken());
}

TEST_F(HistoryTest, AForgottenRemovalIsPossibleOnlyWhereRemovalsFade) {
    for (const bool fade : {false, true}) {
        history = History(fade);
        history.answered(addA, StatusCode::ok, 1);
        history.answered(leave, StatusCode::ok, 0);
        history.answered(leave, StatusCode::fail, 0);
        EXPECT_EQ(isBroken(), !fade);
    }
}

TEST_F(HistoryTest, AViolationTellsWhatWasPossibleAndWhatCameBefore) {
    history.answered(addA, StatusCode::ok, 1);
    history.answered(leave, StatusCode::fail, 0);
    EXPECT_EQ(history.violation(),
              "entry 2 is impossible; possible before it: registered:1\n"
              "    1 ADD_CLIENT 1: OK, 1 registrations\n"
              "    2 REMOVE_CLIENT 0: FAIL, 0 registrations");
}

}  // namespace
}  // namespace crnpd::support
