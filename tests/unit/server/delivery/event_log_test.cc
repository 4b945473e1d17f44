// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/event_log.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>

namespace crnpd::delivery {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

NumberedEvent groupEvent(Sequence sequence, const std::string& group) {
    return {sequence, std::make_shared<Event>(Event{
                          "EC_Cluster", "ESC_cluster_rg_state", "SUNW", "rgm", {{"rg_name", {group}}}})};
}

constexpr std::size_t noLimit = 1'000'000'000;

bool wantsAll(const Event& /*event*/) {
    return true;
}

class EventLogTest : public testing::Test {
protected:
    void publish(const std::string& group, std::vector<ClientIndex> wantedBy) {
        log_.append(groupEvent(++last_, group), wantedBy);
    }
    // 0: nothing to deliver.
    Sequence next(ClientIndex client, const Wants& wants = wantsAll) {
        const auto event = log_.next(client, wants);
        return event ? event->sequence : 0;
    }
    std::vector<Sequence> deliverAll(ClientIndex client, const Wants& wants = wantsAll) {
        std::vector<Sequence> got;
        while (const Sequence sequence = next(client, wants)) {
            got.push_back(sequence);
            log_.delivered(client, sequence);
        }
        return got;
    }

    EventLog log_{1000, 0, {}};
    Sequence last_ = 0;
};

TEST_F(EventLogTest, AClientGetsWhatItWantsInOrder) {
    publish("a", {1, 2});
    publish("b", {2});
    publish("a", {1, 2});
    EXPECT_EQ(log_.waiting(2), 3U);
    EXPECT_THAT(deliverAll(2), ElementsAre(1, 2, 3));
    const auto wantsA = [](const Event& event) { return event.pairs[0].values[0] == "a"; };
    EXPECT_THAT(deliverAll(1, wantsA), ElementsAre(1, 3));
    EXPECT_EQ(log_.behind(), 0U);
    EXPECT_EQ(next(3), 0U);
}

TEST_F(EventLogTest, TheSameEventComesAgainUntilItIsDelivered) {
    publish("a", {1});
    EXPECT_EQ(next(1), 1U);
    publish("a", {1});
    EXPECT_EQ(next(1), 1U);
    EXPECT_EQ(log_.position(1), 0U);
    log_.delivered(1, 1);
    EXPECT_EQ(log_.position(1), 1U);
    EXPECT_EQ(next(1), 2U);
}

TEST_F(EventLogTest, AnEventIsKeptWhileSomebodyNeedsItOrItIsCurrent) {
    publish("a", {1, 2});
    publish("a", {1, 2});
    publish("b", {2});
    EXPECT_THAT(log_.release(), IsEmpty());
    deliverAll(1);
    EXPECT_THAT(log_.release(), IsEmpty());
    deliverAll(2);
    EXPECT_THAT(log_.release(), ElementsAre(1));
    EXPECT_THAT(log_.release(), IsEmpty());
    EXPECT_EQ(log_.events(), 0U);
    publish("a", {});
    EXPECT_THAT(log_.release(), ElementsAre(2));
}

TEST_F(EventLogTest, ARemovedClientHoldsUpNothing) {
    publish("a", {1});
    publish("a", {1});
    EXPECT_THAT(log_.slowest(1, noLimit), ElementsAre(1));
    log_.leave(1);
    log_.leave(1);
    EXPECT_THAT(log_.slowest(1, noLimit), IsEmpty());
    EXPECT_THAT(log_.release(), ElementsAre(1));
    EXPECT_EQ(log_.mark(0).upTo, 2U);
}

TEST_F(EventLogTest, TheSlowestAreThoseForWhomTooMuchIsKept) {
    publish("a", {1});
    publish("a", {1, 2});
    const std::size_t bytesOfTwo = log_.bytes();
    publish("a", {1, 2, 3});
    EXPECT_THAT(log_.slowest(3, noLimit), IsEmpty());
    EXPECT_THAT(log_.slowest(2, noLimit), ElementsAre(1));
    EXPECT_THAT(log_.slowest(noLimit, bytesOfTwo), ElementsAre(1));
    EXPECT_THAT(log_.slowest(1, noLimit), ElementsAre(1, 2));
    EXPECT_THAT(log_.slowest(noLimit, 0), ElementsAre(1, 2, 3));
}

TEST_F(EventLogTest, ItsBytesGoWithItsEvents) {
    publish(std::string(1000, 'a'), {1});
    EXPECT_GE(log_.bytes(), 1000U);
    deliverAll(1);
    EXPECT_THAT(log_.release(), IsEmpty()) << "it is current";
    EXPECT_EQ(log_.bytes(), 0U);
}

TEST_F(EventLogTest, ANewClientGetsTheStateItIsOwedAndThenWhatCame) {
    publish("a", {});
    publish("b", {});
    log_.join(1, ++last_, {1, 2});
    publish("c", {1});
    EXPECT_THAT(deliverAll(1), ElementsAre(1, 2, 4));
}

TEST_F(EventLogTest, StateThatWasReplacedMeanwhileComesOnceAsTheNewerEvent) {
    publish("a", {});
    publish("b", {});
    log_.join(1, ++last_, {1, 2});
    publish("a", {1});
    EXPECT_THAT(deliverAll(1), ElementsAre(2, 4));
}

TEST_F(EventLogTest, WhatAnAddingClientIsOwedComesInItsPlace) {
    publish("a", {});
    publish("b", {1});
    publish("c", {});
    log_.add(1, ++last_, {1, 3});  // 3 is above its position: now that it wants it, it comes by itself
    publish("d", {1});
    EXPECT_THAT(deliverAll(1), ElementsAre(1, 2, 3, 5));
}

TEST_F(EventLogTest, JoiningAgainForgetsWhatWaited) {
    publish("a", {1});
    publish("b", {1});
    log_.join(1, ++last_, {2});
    EXPECT_THAT(deliverAll(1), ElementsAre(2));
    publish("a", {1});
    log_.join(1, ++last_, {});
    EXPECT_EQ(next(1), 0U);
}

TEST_F(EventLogTest, AFullQueueCollapsesToWhatIsCurrentOfIt) {
    for (const auto* group : {"a", "b", "a", "c", "b"})
        publish(group, {1});
    EXPECT_EQ(log_.waiting(1), 5U);
    log_.collapse(1, wantsAll);
    EXPECT_EQ(log_.waiting(1), 3U);
    EXPECT_THAT(log_.release(), ElementsAre(1, 2));
    EXPECT_EQ(log_.position(1), 0U);  // a new leader begins there, and finds 3, 4 and 5
    publish("c", {1});
    EXPECT_THAT(deliverAll(1), ElementsAre(3, 5, 6));
}

TEST_F(EventLogTest, AFewLaggardsDoNotHoldUpTheMark) {
    publish("a", {1, 2, 3, 4});
    publish("a", {2, 3, 4});
    publish("a", {3, 4});
    EXPECT_EQ(log_.mark(0), (Mark{0, {}}));
    deliverAll(4);
    log_.delivered(3, next(3));
    log_.delivered(3, next(3));
    log_.delivered(2, next(2));
    EXPECT_EQ(log_.mark(0), (Mark{0, {}}));
    EXPECT_EQ(log_.mark(1), (Mark{1, {{1, 0}}}));
    EXPECT_EQ(log_.mark(2), (Mark{2, {{1, 0}, {2, 1}}}));
    EXPECT_EQ(log_.mark(3), (Mark{3, {{1, 0}, {2, 1}, {3, 2}}}));
    EXPECT_EQ(log_.mark(4), log_.mark(3));
}

TEST_F(EventLogTest, StateThatIsOwedHoldsThePositionThatMayBeStored) {
    publish("a", {});
    log_.join(1, ++last_, {1});
    EXPECT_EQ(log_.mark(1), (Mark{2, {{1, 1}}}));
    EXPECT_EQ(resumption(1, 2, 2), (Resumption{2, true}));
    deliverAll(1);
    EXPECT_EQ(log_.mark(1), (Mark{2, {}}));
    EXPECT_EQ(resumption(2, 2, 2), (Resumption{2, false}));
}

TEST(Resumption, GoesOnFromTheStoredPositionButNotFromBeforeTheClientJoined) {
    EXPECT_EQ(resumption(5, 3, 4), (Resumption{5, false}));
    EXPECT_EQ(resumption(5, 3, 7), (Resumption{5, true}));
    EXPECT_EQ(resumption(5, 7, 8), (Resumption{7, true}));
}

TEST(EventLogRestart, ANewLeaderGoesOnFromTheMark) {
    // Stored: everybody has everything up to 3, but client 1 only 1. Client 2 joined with the number 5.
    EventLog log(1000, 3, {groupEvent(2, "a"), groupEvent(3, "b")});
    log.resume(1, 1, resumption(1, 0, 0), {});
    log.resume(2, 3, resumption(3, 5, 5), {2, 3, 4, 6});
    log.append(groupEvent(4, "c"), std::vector<ClientIndex>{1, 2, 3});
    log.append(groupEvent(6, "d"), std::vector<ClientIndex>{1, 2, 3});
    log.reach(7);
    const auto deliverAll = [&](ClientIndex client) {
        std::vector<Sequence> got;
        while (const auto event = log.next(client, wantsAll)) {
            got.push_back(event->sequence);
            log.delivered(client, event->sequence);
        }
        return got;
    };
    EXPECT_THAT(deliverAll(1), ElementsAre(2, 3, 4, 6));
    EXPECT_THAT(deliverAll(3), ElementsAre(4, 6));
    EXPECT_THAT(deliverAll(2), ElementsAre(2, 3, 4, 6));  // 4 as part of the state it is owed
    EXPECT_EQ(log.head(), 7U);
    EXPECT_EQ(log.behind(), 0U);
}

}  // namespace
}  // namespace crnpd::delivery
