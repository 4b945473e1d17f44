// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/commit/committer.h"

#include <algorithm>
#include <future>
#include <latch>
#include <map>
#include <memory>

#include <gtest/gtest.h>

#include "server/store/memory_store.h"
#include "tests/support/failing_store.h"
#include "tests/support/manual_clock.h"

namespace crnpd::commit {
namespace {

using store::CommitOutcome;
using Effect = store::FailingStore::Effect;

const Error diskFull{ErrorCode::noSpace, "disk full"};
const Error busy{ErrorCode::busy, "locked"};
const Error broken{ErrorCode::io, "input/output error"};

registry::Request addClient(std::uint16_t port, const std::string& eventClass = "A") {
    return {{*IpAddress::parse("192.0.2.1"), port}, RegistrationType::addClient, {{eventClass, {}, {}}}};
}
registry::Request removeClient(std::uint16_t port) {
    return {{*IpAddress::parse("192.0.2.1"), port}, RegistrationType::removeClient, {}};
}

class CommitterTest : public testing::Test {
protected:
    CommitterTest() { committer.start(store.load().value()); }

    std::future<Outcome> submit(registry::Request request) {
        auto answer = std::make_shared<std::promise<Outcome>>();
        auto future = answer->get_future();
        committer.submit(std::move(request),
                         [answer](const Outcome& outcome) { answer->set_value(outcome); });
        return future;
    }
    std::optional<StatusCode> send(registry::Request request) {
        const auto outcome = submit(std::move(request)).get();
        return outcome.reply ? std::optional(outcome.reply->code) : std::nullopt;
    }
    Result<Sequence> publish() {
        std::promise<Result<Sequence>> answer;
        committer.publish(std::make_shared<const Event>(Event{"A", "S", "V", "P", {}}), std::nullopt,
                          [&](const Result<Sequence>& number) { answer.set_value(number); });
        return answer.get_future().get();
    }
    Removal remove(NewsNumber heard) {
        std::promise<Removal> answer;
        committer.remove(addClient(1).client, heard, [&](Removal removal) { answer.set_value(removal); });
        return answer.get_future().get();
    }
    bool keep(std::size_t released) {
        std::promise<bool> answer;
        committer.keep({}, std::vector<Sequence>(released, 1), [&](bool kept) { answer.set_value(kept); });
        return answer.get_future().get();
    }
    std::size_t clientsInMemory() {
        std::promise<std::size_t> answer;
        EXPECT_TRUE(committer.ask([&](const View& view) { answer.set_value(view.registry.clients()); }));
        return answer.get_future().get();
    }
    std::size_t clientsInStore() { return memory.load()->clients.size(); }

    support::ManualClock clock;
    store::MemoryStore memory;
    store::FailingStore store{memory};
    static registry::Rules manyClients() {
        registry::Rules rules;
        rules.maxClients = 100000;
        return rules;
    }
    Committer committer{store, clock, manyClients(), {}};
};

TEST_F(CommitterTest, AnOkComesAfterTheCommitAndNotBefore) {
    std::latch reached(1);
    std::latch goOn(1);
    store.beforeCommit([&](BatchId, std::span<const Change>) {
        reached.count_down();
        goOn.wait();
    });
    auto answer = submit(addClient(1));
    reached.wait();
    EXPECT_EQ(answer.wait_for(std::chrono::seconds{0}), std::future_status::timeout);
    goOn.count_down();
    EXPECT_EQ(answer.get().reply->code, StatusCode::ok);
    EXPECT_EQ(clientsInStore(), 1U);
}

TEST_F(CommitterTest, WhatArrivesDuringACommitSharesTheNextOne) {
    std::latch reached(1);
    std::latch goOn(1);
    std::vector<std::size_t> sizes;
    store.beforeCommit([&](BatchId, std::span<const Change> changes) {
        sizes.push_back(changes.size());
        if (sizes.size() > 1) return;
        reached.count_down();
        goOn.wait();
    });
    auto first = submit(addClient(1));
    reached.wait();
    std::vector<std::future<Outcome>> others;
    for (std::uint16_t port = 2; port <= 50; ++port)
        others.push_back(submit(addClient(port)));
    goOn.count_down();
    for (auto& other : others)
        EXPECT_EQ(other.get().reply->code, StatusCode::ok);
    EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 49}));
}

TEST_F(CommitterTest, ARefusalThatNeedsNoCommitDoesNotWaitForOne) {
    EXPECT_EQ(send(removeClient(1)), StatusCode::fail);
    EXPECT_EQ(store.commits(), 0U);
}

TEST_F(CommitterTest, WhatWasNotCommittedIsRefusedByItsReasonAndIsNotThere) {
    const std::map<StatusCode, Error> reasons{
        {StatusCode::lowResource, diskFull}, {StatusCode::retry, busy}, {StatusCode::systemError, broken}};
    for (const auto& [code, reason] : reasons) {
        store.failCommit(1, CommitOutcome::notCommitted(reason));
        EXPECT_EQ(send(addClient(1)), code);
        EXPECT_EQ(clientsInMemory(), 0U);
        EXPECT_EQ(clientsInStore(), 0U);
    }
    EXPECT_EQ(send(addClient(1)), StatusCode::ok) << "the next one finds a healthy server";
}

TEST_F(CommitterTest, ARefusedRemovalLeavesTheClient) {
    send(addClient(1));
    store.failCommit(1, CommitOutcome::notCommitted(diskFull));
    EXPECT_EQ(send(removeClient(1)), StatusCode::lowResource);
    EXPECT_EQ(clientsInMemory(), 1U);
}

TEST_F(CommitterTest, AnUnknownOutcomeThatTurnsOutCommittedIsOk) {
    store.failCommit(1, CommitOutcome::unknown(broken), Effect::applied);
    EXPECT_EQ(send(addClient(1)), StatusCode::ok);
    EXPECT_EQ(store.outcomeQueries(), 1U);
    EXPECT_EQ(clientsInMemory(), 1U);
    EXPECT_EQ(send(addClient(2)), StatusCode::ok);
}

TEST_F(CommitterTest, AnUnknownOutcomeThatTurnsOutNotCommittedIsRefused) {
    store.failCommit(1, CommitOutcome::unknown(broken));
    EXPECT_EQ(send(addClient(1)), StatusCode::systemError);
    EXPECT_EQ(clientsInMemory(), 0U);
    EXPECT_EQ(send(addClient(1)), StatusCode::ok);
}

TEST_F(CommitterTest, AnOutcomeThatStaysUnknownIsAnsweredByNothingAndThenByTheTruth) {
    for (const auto effect : {Effect::applied, Effect::nothing}) {
        store.failCommit(1, CommitOutcome::unknown(broken), effect);
        store.answerOutcome(CommitOutcome::unknown(broken));
        const auto before = clientsInStore();
        EXPECT_EQ(send(addClient(effect == Effect::applied ? 1 : 2)), std::nullopt);
        const auto wasWritten = effect == Effect::applied ? 1U : 0U;
        EXPECT_EQ(send(addClient(3)), StatusCode::ok);
        EXPECT_EQ(clientsInMemory(), clientsInStore());
        EXPECT_EQ(clientsInStore(), before + wasWritten + (effect == Effect::applied ? 1U : 0U));
    }
}

TEST_F(CommitterTest, WhileALostStoreCannotBeReadNothingIsAttempted) {
    store.failCommit(1, CommitOutcome::unknown(broken), Effect::applied);
    store.answerOutcome(CommitOutcome::unknown(broken));
    EXPECT_EQ(send(addClient(1)), std::nullopt);
    store.failLoad(broken);
    const auto commits = store.commits();
    EXPECT_EQ(send(addClient(2)), StatusCode::systemError);
    EXPECT_EQ(store.commits(), commits);

    EXPECT_EQ(send(removeClient(1)), StatusCode::ok)
        << "the store is read again and holds what nobody was told";
}

TEST_F(CommitterTest, AQuestionIsAnsweredByWhatTheStoreHoldsOrToldThatThisIsNotKnown) {
    store.failCommit(1, CommitOutcome::unknown(broken), Effect::applied);
    store.answerOutcome(CommitOutcome::unknown(broken));
    EXPECT_EQ(send(addClient(1)), std::nullopt);
    store.failLoad(broken);
    const auto isCurrent = [this] {
        std::promise<bool> answer;
        EXPECT_TRUE(committer.ask([&](const View& view) { answer.set_value(view.isCurrent); }));
        return answer.get_future().get();
    };
    EXPECT_FALSE(isCurrent());
    EXPECT_TRUE(isCurrent()) << "it is read again";
    EXPECT_EQ(clientsInMemory(), 1U);
}

TEST_F(CommitterTest, ABatchIsNeverLargerThanTheStoreTakes) {
    std::latch reached(1);
    std::latch goOn(1);
    std::atomic<bool> first{true};
    std::atomic<std::size_t> largest{0};
    store.beforeCommit([&](BatchId, std::span<const Change> changes) {
        largest = std::max(largest.load(), changes.size());
        if (!first.exchange(false)) return;
        reached.count_down();
        goOn.wait();
    });
    auto held = submit(addClient(1));
    reached.wait();
    std::vector<std::future<Outcome>> others;
    const auto many = static_cast<std::uint16_t>(2 * store.batchLimit() + 10);
    for (std::uint16_t port = 2; port < many; ++port)
        others.push_back(submit(addClient(port)));
    goOn.count_down();
    for (auto& other : others)
        EXPECT_EQ(other.get().reply->code, StatusCode::ok);
    EXPECT_LE(largest, store.batchLimit());
}

TEST_F(CommitterTest, MessagesOfOneClientAreDecidedInTheOrderOfTheirArrival) {
    auto add = submit(addClient(1));
    auto remove = submit(removeClient(1));
    auto again = submit(addClient(1, "B"));
    EXPECT_EQ(add.get().reply->code, StatusCode::ok);
    EXPECT_EQ(remove.get().reply->code, StatusCode::ok);
    EXPECT_EQ(again.get().reply->code, StatusCode::ok);
    EXPECT_EQ(clientsInMemory(), 1U);
}

TEST_F(CommitterTest, StoppingAnswersWhatIsQueuedAndRefusesWhatComesLater) {
    std::vector<std::future<Outcome>> answers;
    for (std::uint16_t port = 1; port <= 100; ++port)
        answers.push_back(submit(addClient(port)));
    committer.stop();
    for (auto& answer : answers)
        EXPECT_EQ(answer.get().reply->code, StatusCode::ok);
    EXPECT_EQ(send(addClient(101)), StatusCode::retry);
    EXPECT_FALSE(committer.ask([](const View&) {}));
    EXPECT_EQ(clientsInStore(), 100U);
}

TEST_F(CommitterTest, OldRemovalsLeaveTheStoreWithLaterBatches) {
    send(addClient(1));
    send(removeClient(1));
    EXPECT_EQ(memory.load()->removals.size(), 1U);
    clock.advance(registry::Rules{}.removalMemory);
    send(addClient(2));
    EXPECT_EQ(memory.load()->removals.size(), 0U);
}

TEST_F(CommitterTest, EventsGetAscendingNumbersInOneOrderWithMessages) {
    send(addClient(1));
    const auto first = publish();
    send(addClient(1));
    const auto second = publish();
    EXPECT_EQ(first.value(), 2U);
    EXPECT_EQ(second.value(), 4U);
}

TEST_F(CommitterTest, AClientIsRemovedOnce) {
    send(addClient(1));
    EXPECT_EQ(remove(1), Removal::removed);
    EXPECT_EQ(remove(1), Removal::spoke);
    EXPECT_EQ(clientsInMemory(), 0U);
}

TEST_F(CommitterTest, MuchThatIsReleasedGoesInSeveralCommits) {
    EXPECT_TRUE(keep(2 * store.batchLimit()));
    EXPECT_EQ(store.commits(), 3U);
}

TEST_F(CommitterTest, MuchThatIsReleasedIsNotKeptWhereAnyOfItsCommitsFails) {
    for (const unsigned failing : {1U, 2U, 3U}) {
        store.failCommit(failing, CommitOutcome::notCommitted(busy));
        EXPECT_FALSE(keep(2 * store.batchLimit())) << failing;
    }
}

TEST_F(CommitterTest, AStoppedOnePublishesRemovesAndKeepsNothing) {
    committer.stop();
    EXPECT_EQ(publish().error().code, ErrorCode::busy);
    EXPECT_EQ(remove(1), Removal::impossible);
    EXPECT_FALSE(keep(1));
}

TEST_F(CommitterTest, NewRulesHoldFromTheNextRequestOn) {
    send(addClient(1));
    registry::Rules rules;
    rules.maxClients = 1;
    committer.setRules(rules);
    clientsInMemory();  // the committer has come past the change
    EXPECT_EQ(send(addClient(2)), StatusCode::lowResource);
}

}  // namespace
}  // namespace crnpd::commit
