// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/dispatcher.h"

#include <map>

#include <gmock/gmock.h>

#include "common/messages.h"
#include "tests/support/log_lines.h"
#include "tests/unit/server/delivery/dispatcher_world.h"

namespace crnpd::delivery {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class DispatcherTest : public testing::Test, protected World {
protected:
    // Until nobody has anything to get: who got what.
    std::map<RecordId, std::vector<Sequence>> deliverAll() {
        std::map<RecordId, std::vector<Sequence>> got;
        for (auto errands = takeAll(); !errands.empty(); errands = takeAll()) {
            for (const auto& errand : errands) {
                got[errand.client].push_back(errand.event.sequence);
                dispatcher.delivered(errand.ticket);
            }
        }
        return got;
    }
    // A new leader finds events 3 to 22 for a client that joined with this number.
    void startWithTwenty(Sequence joined) {
        Snapshot rows;
        rows.clients = {recordOf(1, {"a"}, joined)};
        for (Sequence event = 3; event <= 22; ++event)
            rows.events.push_back({event, encodeEvent(*groupEvent("a"))});
        rows.mark.upTo = 2;
        rows.last = 23;
        dispatcher.start(rows);
    }
    void giveUp() {
        for (unsigned attempt = 0; attempt < rules.retry.count; ++attempt) {
            pass(rules.retry.interval);
            for (const auto& errand : takeAll())
                dispatcher.failed(errand.ticket, "refused");
        }
    }
};

TEST_F(DispatcherTest, AnEventGoesToWhoeverWantsItOneAfterTheOther) {
    join(1, {"a"});
    join(2, {"b"});
    const Sequence first = publish("a");
    const Sequence second = publish("a");
    const auto errand = dispatcher.take();
    ASSERT_TRUE(errand);
    EXPECT_EQ(errand->client, 1U);
    EXPECT_EQ(errand->event.sequence, first);
    EXPECT_FALSE(dispatcher.take());
    dispatcher.delivered(errand->ticket);
    EXPECT_EQ(dispatcher.take()->event.sequence, second);
}

TEST_F(DispatcherTest, ANewClientGetsTheStateWhenItsReplyIsWritten) {
    publish("a");
    const auto gate = std::make_shared<ReplyGate>();
    join(1, {"a"}, gate);
    EXPECT_THAT(takers(), IsEmpty());
    gate->open();
    EXPECT_THAT(takers(), ElementsAre(1));
}

TEST_F(DispatcherTest, AnEventAlsoWaitsForTheReply) {
    const auto gate = std::make_shared<ReplyGate>();
    join(1, {"a"}, gate);
    publish("a");
    EXPECT_THAT(takers(), IsEmpty());
    gate->open();
    EXPECT_THAT(takers(), ElementsAre(1));
}

TEST_F(DispatcherTest, NobodyIsCalledForAGateBehindWhichNothingWaits) {
    const auto gate = std::make_shared<ReplyGate>();
    join(1, {"a"}, gate);
    publish("b");
    gate->open();
    dispatcher.tick();
    EXPECT_EQ(awaited, 0U);
    publish("a");
    EXPECT_THAT(takers(), ElementsAre(1));
}

TEST_F(DispatcherTest, AGateIsAwaitedAlsoWhenOthersOpenBefore) {
    const auto first = std::make_shared<ReplyGate>();
    const auto second = std::make_shared<ReplyGate>();
    join(1, {"a"}, first);
    join(2, {"a"}, second);
    second->open();
    publish("a");
    EXPECT_THAT(takers(), ElementsAre(2));
    first->open();
    EXPECT_THAT(takers(), ElementsAre(1));
}

TEST_F(DispatcherTest, TheGateOfAnEarlierMessageLetsNothingThrough) {
    const auto first = std::make_shared<ReplyGate>();
    const auto second = std::make_shared<ReplyGate>();
    join(1, {"a"}, first);
    publish("a");
    join(1, {"a"}, second);
    first->open();
    dispatcher.tick();
    EXPECT_THAT(takers(), IsEmpty());
    second->open();
    EXPECT_THAT(takers(), ElementsAre(1));
}

TEST_F(DispatcherTest, AGateLeavesWithItsClient) {
    const auto gate = std::make_shared<ReplyGate>();
    join(1, {"a"}, gate);
    leave(1);
    join(2, {"a"});
    publish("a");
    EXPECT_THAT(takers(), ElementsAre(2));
}

TEST_F(DispatcherTest, EveryReplyComesFirstInWhateverOrderTheyAreWritten) {
    const auto first = std::make_shared<ReplyGate>();
    const auto second = std::make_shared<ReplyGate>();
    join(1, {"a"}, first);
    join(1, {"a"}, second);
    publish("a");
    second->open();
    EXPECT_THAT(takers(), IsEmpty());
    dispatcher.tick();
    EXPECT_THAT(takers(), IsEmpty());
    first->open();
    EXPECT_THAT(takers(), ElementsAre(1));
}

TEST_F(DispatcherTest, AFailedAttemptIsRepeatedWhenItIsDue) {
    join(1, {"a"});
    const Sequence event = publish("a");
    dispatcher.failed(dispatcher.take()->ticket, "refused");
    EXPECT_THAT(takers(), IsEmpty());
    pass(retryOffset(rules.retry, 1));
    const auto again = dispatcher.take();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->event.sequence, event);
}

TEST_F(DispatcherTest, AMessageOfTheClientEndsTheWaiting) {
    join(1, {"a"});
    publish("a");
    dispatcher.failed(dispatcher.take()->ticket, "refused");
    speak(1, {"a"}, 1);
    EXPECT_THAT(takers(), ElementsAre(1));
}

TEST_F(DispatcherTest, WhoCannotBeReachedIsRemoved) {
    join(1, {"a"});
    publish("a");
    giveUp();
    ASSERT_THAT(ledger.removals, SizeIs(1));
    EXPECT_EQ(ledger.removals[0].client, addressOf(1));
    evict(1);
    ledger.removals[0].done(Ledger::Removal::removed);
    EXPECT_EQ(dispatcher.clients(), 0U);
    EXPECT_FALSE(dispatcher.progress(addressOf(1)));
}

TEST_F(DispatcherTest, ARemovalIsAskedForWithWhatWasHeardUntilThen) {
    join(1, {"a"});
    publish("a");
    speak(1, {"a"}, 1);
    giveUp();
    speak(1, {"a"}, 1);
    ASSERT_THAT(ledger.removals, SizeIs(1));
    EXPECT_EQ(ledger.removals[0].heard, 2U);
    EXPECT_THAT(takers(), ElementsAre(1)) << "it lives";
}

TEST_F(DispatcherTest, ARemovalIsLoggedAndAFarewellIsNot) {
    const support::LogLines lines;
    join(1, {"a"});
    join(2, {"a"});
    publish("a");
    giveUp();
    evict(1);
    leave(2);
    EXPECT_EQ(lines.count(msg::clientGivenUp.id), 1U);
}

TEST_F(DispatcherTest, ARemovalThatAReloadShowsIsLoggedToo) {
    const support::LogLines lines;
    join(1, {"a"});
    join(2, {"a"});
    publish("a");
    giveUp();
    Snapshot rows;
    rows.clients.push_back(recordOf(2, {"a"}, 2));
    dispatcher.hear(AllReloaded{std::make_shared<const Snapshot>(rows), ++told});
    EXPECT_EQ(lines.count(msg::clientGivenUp.id), 1U);
}

TEST_F(DispatcherTest, ARemovalThatIsImpossibleIsTriedAgain) {
    join(1, {"a"});
    publish("a");
    giveUp();
    ASSERT_THAT(ledger.removals, SizeIs(1));
    ledger.removals[0].done(Ledger::Removal::impossible);
    EXPECT_THAT(takers(), IsEmpty());
    pass(rules.tryAgainAfter);
    EXPECT_THAT(ledger.removals, SizeIs(2));
}

TEST_F(DispatcherTest, WhoSpokeInTheMeantimeIsTriedAnew) {
    join(1, {"a"});
    publish("a");
    giveUp();
    ASSERT_THAT(ledger.removals, SizeIs(1));
    ledger.removals[0].done(Ledger::Removal::spoke);
    EXPECT_THAT(takers(), ElementsAre(1));
    EXPECT_EQ(dispatcher.progress(addressOf(1))->failures, 0U);
}

TEST_F(DispatcherTest, WhoJoinsAgainOrLeavesIsRecalled) {
    join(1, {"a"});
    publish("a");
    const auto first = dispatcher.take();
    ASSERT_TRUE(first);
    join(1, {"a"});
    EXPECT_THAT(recalled, ElementsAre(first->ticket));
    const auto second = dispatcher.take();
    ASSERT_TRUE(second);
    leave(1);
    EXPECT_THAT(recalled, ElementsAre(first->ticket, second->ticket));
    EXPECT_EQ(dispatcher.underWay(), 0U);
    dispatcher.delivered(second->ticket);
    EXPECT_THAT(takers(), IsEmpty());
}

TEST_F(DispatcherTest, StalledClientsHoldUpNobody) {
    for (RecordId id = 1; id <= rules.quickPlaces + 1; ++id)
        join(id, {"a"});
    publish("a");
    EXPECT_THAT(takeAll(), SizeIs(rules.quickPlaces));
    EXPECT_THAT(takeAll(), IsEmpty());
    pass(rules.stallAfter);
    EXPECT_THAT(takeAll(), SizeIs(1));
    EXPECT_THAT(recalled, IsEmpty());
}

TEST_F(DispatcherTest, DoubtfulClientsHaveFewPlaces) {
    for (RecordId id = 1; id <= 200; ++id)
        join(id, {"a"});
    publish("a");
    for (const auto& errand : takeAll())
        dispatcher.failed(errand.ticket, "refused");
    pass(retryOffset(rules.retry, 1));
    EXPECT_THAT(takeAll(), SizeIs(rules.doubtfulPlaces));
    join(1000, {"b"});
    publish("b");
    EXPECT_THAT(takers(), ElementsAre(1000));
}

TEST_F(DispatcherTest, WhatCouldNotBeBegunCountsAsNoFailure) {
    join(1, {"a"});
    publish("a");
    dispatcher.postponed(dispatcher.take()->ticket);
    EXPECT_THAT(takers(), IsEmpty());
    pass(milliseconds(50));
    EXPECT_THAT(takers(), ElementsAre(1));
    EXPECT_EQ(dispatcher.progress(addressOf(1))->failures, 0U);
}

TEST_F(DispatcherTest, ATooLongQueueCollapsesToTheCurrentState) {
    rules.queueEvents = 10;
    dispatcher.apply(rules);
    join(1, {"a", "b"});
    publish("b");
    for (int count = 0; count < 10; ++count)
        publish("a");
    EXPECT_EQ(dispatcher.progress(addressOf(1))->waiting, 2U);
    const auto errand = dispatcher.take();
    EXPECT_EQ(*errand->event.event, *groupEvent("b"));
}

TEST_F(DispatcherTest, ATooLongLogCollapsesForTheSlowest) {
    rules.logEvents = 16;
    dispatcher.apply(rules);
    join(1, {"a"});
    join(2, {"b"});
    for (int count = 0; count < 17; ++count)
        publish("a");
    publish("b");
    EXPECT_EQ(dispatcher.progress(addressOf(1))->waiting, 1U);
    EXPECT_EQ(dispatcher.progress(addressOf(2))->waiting, 1U);
}

TEST_F(DispatcherTest, ALogOfTooManyBytesCollapsesForTheSlowest) {
    rules.leastLogBytes = 100'000;
    rules.bytesPerQueuedEvent = 0;
    dispatcher.apply(rules);
    const std::string large(10'000, 'x');
    join(1, {large});
    for (int count = 0; count < 9; ++count)
        publish(large);
    EXPECT_EQ(dispatcher.progress(addressOf(1))->waiting, 9U);
    publish(large);
    EXPECT_EQ(dispatcher.progress(addressOf(1))->waiting, 1U);
}

TEST_F(DispatcherTest, WhatWasNotKeptIsSaidAgain) {
    publish("a");
    publish("a");
    pass(rules.keepEvery);
    ASSERT_THAT(ledger.kept, SizeIs(1));
    EXPECT_EQ(ledger.kept[0].mark.upTo, 2U);
    EXPECT_THAT(ledger.kept[0].released, ElementsAre(1));
    ledger.kept[0].done(false);
    pass(rules.tryAgainAfter);
    ASSERT_THAT(ledger.kept, SizeIs(2));
    EXPECT_THAT(ledger.kept[1].released, ElementsAre(1));
    ledger.kept[1].done(true);
    pass(rules.keepEvery * 2);
    EXPECT_THAT(ledger.kept, SizeIs(2));
}

TEST_F(DispatcherTest, ANewLeaderGoesOnWhereTheMarkStands) {
    Snapshot rows;
    rows.clients = {recordOf(1, {"a"}, 1), recordOf(2, {"a"}, 2), recordOf(3, {"a"}, 5)};
    rows.events = {{3, encodeEvent(*groupEvent("a"))}, {4, encodeEvent(*groupEvent("a"))}};
    rows.mark = {4, {{1, 3}}};
    rows.last = 5;
    dispatcher.start(rows);
    EXPECT_THAT(takers(), testing::UnorderedElementsAre(1, 3));
    EXPECT_EQ(dispatcher.events(10).head, 5U);
}

TEST_F(DispatcherTest, ANewLeaderCollapsesATooLongQueue) {
    rules.queueEvents = 19;
    dispatcher.apply(rules);
    startWithTwenty(1);
    EXPECT_EQ(dispatcher.progress(addressOf(1))->waiting, 1U);
    EXPECT_EQ(deliverAll()[1], (std::vector<Sequence>{22}));
}

TEST_F(DispatcherTest, ANewLeaderCollapsesATooLongLog) {
    rules.logEvents = 16;
    dispatcher.apply(rules);
    startWithTwenty(1);
    EXPECT_EQ(dispatcher.progress(addressOf(1))->waiting, 1U);
    EXPECT_EQ(deliverAll()[1], (std::vector<Sequence>{22}));
}

TEST_F(DispatcherTest, EventsFromBeforeAClientJoinedDoNotCollapseItsQueue) {
    const support::LogLines lines;
    rules.queueEvents = 19;
    dispatcher.apply(rules);
    startWithTwenty(23);
    EXPECT_EQ(dispatcher.progress(addressOf(1))->waiting, 1U);
    EXPECT_EQ(lines.count("CRNPD-DLV-003"), 0U);
    EXPECT_EQ(deliverAll()[1], (std::vector<Sequence>{22}));
}

// Section 7 of docs/protocol.md: where events may have been missed, one of each type with the current state.
TEST_F(DispatcherTest, WhereEventsMayHaveBeenMissedEverybodyGetsTheState) {
    const support::LogLines lines;
    publish("a");
    publish("b");
    join(1, {"a"});
    join(2, {"a", "b"});
    join(3, {"c"});
    deliverAll();
    tellMissed();
    publish("b");
    EXPECT_THAT(deliverAll(), ElementsAre(Pair(1, ElementsAre(1)), Pair(2, ElementsAre(1, 7))));
    EXPECT_EQ(lines.count("CRNPD-DLV-011"), 1U);
}

TEST_F(DispatcherTest, AfterANoticeWhatWaitsComesOnceAndInItsTurn) {
    publish("a");
    publish("b");
    join(1, {"a", "b"});
    deliverAll();
    publish("a");
    publish("a");
    tellMissed();
    EXPECT_THAT(deliverAll(), ElementsAre(Pair(1, ElementsAre(2, 4, 5))));
}

// What waits for a client is not counted again, what it has already is.
TEST_F(DispatcherTest, PeopleSeeToHowManyAStateWentAgain) {
    publish("a");
    publish("b");
    join(1, {"a"});
    deliverAll();
    join(2, {"b"});
    tellMissed();
    deliverAll();
    const auto events = dispatcher.events(10).events;
    ASSERT_THAT(events, SizeIs(3));
    EXPECT_EQ(events[0].wanted, 2U);
    EXPECT_EQ(events[0].have, 2U);
    EXPECT_EQ(events[1].wanted, 1U);
    EXPECT_EQ(events[1].have, 1U);
}

TEST_F(DispatcherTest, PeopleSeeThatAnEventIsWantedSinceItWasAskedFor) {
    join(1, {"a"});
    publish("a");
    publish("b");
    add(1, {"a", "b"}, {"a"});
    deliverAll();
    const auto events = dispatcher.events(10).events;
    ASSERT_THAT(events, SizeIs(2));
    EXPECT_EQ(events[1].wanted, 1U);
    EXPECT_EQ(events[1].have, 1U);
}

TEST_F(DispatcherTest, WhoeverWasALaggardAndHasEverythingLeavesTheMark) {
    publish("a");
    join(1, {"a"});
    const auto errand = dispatcher.take();
    ASSERT_TRUE(errand);
    publish("b");
    dispatcher.delivered(errand->ticket);
    // Before anybody asks what is next for it.
    pass(rules.keepEvery);
    ASSERT_THAT(ledger.kept, SizeIs(1));
    EXPECT_THAT(ledger.kept[0].mark.laggards, SizeIs(1));
    ledger.kept[0].done(true);
    EXPECT_FALSE(dispatcher.take());
    pass(rules.keepEvery);
    ASSERT_THAT(ledger.kept, SizeIs(2));
    EXPECT_THAT(ledger.kept[1].mark.laggards, IsEmpty());
}

TEST_F(DispatcherTest, ANoticeWaitsForTheReplyToo) {
    publish("a");
    const auto gate = std::make_shared<ReplyGate>();
    join(1, {"a"}, gate);
    tellMissed();
    EXPECT_THAT(takers(), IsEmpty());
    gate->open();
    EXPECT_THAT(deliverAll(), ElementsAre(Pair(1, ElementsAre(1))));
}

TEST_F(DispatcherTest, TheMarkWaitsForTheStateThatANoticeOwes) {
    publish("a");
    join(1, {"a"});
    deliverAll();
    const Sequence notice = tellMissed();
    pass(rules.keepEvery);
    ASSERT_THAT(ledger.kept, SizeIs(1));
    EXPECT_EQ(ledger.kept[0].mark, (MarkRecord{notice, {{1, notice - 1}}}));
    ledger.kept[0].done(true);
    deliverAll();
    pass(rules.keepEvery);
    ASSERT_THAT(ledger.kept, SizeIs(2));
    EXPECT_EQ(ledger.kept[1].mark, (MarkRecord{notice, {}}));
    EXPECT_THAT(ledger.kept[1].released, IsEmpty());
}

TEST_F(DispatcherTest, ANewLeaderFindsTheNoticeAndWhoIsOwedTheState) {
    const support::LogLines lines;
    Snapshot rows;
    // The first has everything up to the mark, the second is a laggard, the third joined later, the fourth
    // asked for nothing that is current.
    rows.clients = {recordOf(1, {"a"}, 1), recordOf(2, {"a", "b"}, 2), recordOf(3, {"a"}, 7),
                    recordOf(4, {"c"}, 1)};
    rows.events = {{3, encodeEvent(*groupEvent("a"))},
                   {4, encodeEvent(*groupEvent("b"))},
                   {6, encodeEvent(missedEvents("watcher", "it was away"))},
                   {8, encodeEvent(*groupEvent("b"))}};
    rows.mark = {5, {{2, 3}}};
    rows.last = 8;
    dispatcher.start(rows);
    EXPECT_THAT(deliverAll(),
                ElementsAre(Pair(1, ElementsAre(3)), Pair(2, ElementsAre(3, 4, 8)), Pair(3, ElementsAre(3))));
    EXPECT_EQ(lines.count("CRNPD-DLV-011"), 1U);
}

TEST_F(DispatcherTest, ANoticeThatEverybodyHasFollowedOwesNothing) {
    const support::LogLines lines;
    Snapshot rows;
    rows.clients = {recordOf(1, {"a"}, 1)};
    rows.events = {{2, encodeEvent(*groupEvent("a"))}, {3, encodeEvent(missedEvents("watcher", ""))}};
    rows.mark.upTo = 3;
    rows.last = 3;
    dispatcher.start(rows);
    EXPECT_THAT(takers(), IsEmpty());
    EXPECT_EQ(lines.count("CRNPD-DLV-011"), 0U);
}

TEST_F(DispatcherTest, AReloadBeginsAnewAndKeepsGatesShut) {
    const auto gate = std::make_shared<ReplyGate>();
    join(1, {"a"}, gate);
    join(2, {"a"});
    publish("a");
    EXPECT_THAT(takers(), ElementsAre(2));
    auto rows = std::make_shared<Snapshot>();
    rows->clients = {recordOf(1, {"a"}, 1), recordOf(2, {"a"}, 2)};
    rows->events = {{3, encodeEvent(*groupEvent("a"))}};
    rows->mark.upTo = 2;
    rows->last = 3;
    dispatcher.hear(Committed(AllReloaded{rows}));
    EXPECT_THAT(recalled, SizeIs(1));
    EXPECT_THAT(takers(), ElementsAre(2));
    gate->open();
    EXPECT_THAT(takers(), ElementsAre(1));
}

TEST_F(DispatcherTest, PeopleSeeHowFarEverybodyIs) {
    join(1, {"a"});
    join(2, {"a"});
    publish("a");
    const auto errands = takeAll();
    dispatcher.delivered(errands[0].ticket);
    dispatcher.failed(errands[1].ticket, "refused");
    const auto progress = dispatcher.events(10);
    ASSERT_THAT(progress.events, SizeIs(1));
    EXPECT_EQ(progress.events[0].wanted, 2U);
    EXPECT_EQ(progress.events[0].have, 1U);
    const auto client = dispatcher.progress(addressOf(errands[1].client));
    EXPECT_EQ(client->failures, 1U);
    EXPECT_EQ(client->attempts.at(0).result, "refused");
    EXPECT_EQ(client->nextIn, retryOffset(rules.retry, 1));
}

}  // namespace
}  // namespace crnpd::delivery
