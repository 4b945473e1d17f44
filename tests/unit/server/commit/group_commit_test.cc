// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/commit/group_commit.h"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

#include "server/store/memory_store.h"
#include "tests/support/failing_store.h"
#include "tests/support/manual_clock.h"

namespace crnpd::commit {
namespace {

using store::CommitOutcome;
using Effect = store::FailingStore::Effect;

const Error noAnswer{ErrorCode::busy, "no answer"};
const Error otherLeads{ErrorCode::superseded, "node2 leads"};

registry::Request request(RegistrationType type, std::uint16_t port, const std::string& eventClass = "A") {
    return {{*IpAddress::parse("192.0.2.1"), port}, type, {{eventClass, {}, {}}}};
}
registry::Request add(std::uint16_t port, const std::string& eventClass = "A") {
    return request(RegistrationType::addClient, port, eventClass);
}
registry::Request remove(std::uint16_t port) {
    return request(RegistrationType::removeClient, port);
}

class SharedGroupCommit : public testing::Test {
protected:
    using Answers = std::vector<std::optional<StatusCode>>;

    support::ManualClock clock;
    store::MemoryStore memory;
    store::FailingStore store{memory};
    std::vector<std::string> superseded;
    std::vector<std::size_t> sizes;  // of the batches
    GroupCommit group{store, clock, {}, options()};

    GroupCommit::Options options() {
        GroupCommit::Options all;
        all.superseded = [this](const std::string& reason) { superseded.push_back(reason); };
        return all;
    }
    void SetUp() override {
        store.share();
        store.beforeCommit(
            [this](BatchId, std::span<const Change> changes) { sizes.push_back(changes.size()); });
        group.load(*store.load());
    }
    // In one group, as far as that goes.
    Answers send(const std::vector<registry::Request>& requests) {
        Answers answers(requests.size());
        std::vector<unsigned> times(requests.size());
        std::vector<Act> acts;
        for (std::size_t i = 0; i < requests.size(); ++i) {
            acts.emplace_back(Submission{requests[i], [&answers, &times, i](const Outcome& outcome) {
                                             ++times[i];
                                             if (outcome.reply) answers[i] = outcome.reply->code;
                                         }});
        }
        group.process(acts);
        for (const auto each : times)
            EXPECT_EQ(each, 1U);
        return answers;
    }
    std::size_t clientsInStore() { return memory.load()->clients.size(); }
};

TEST_F(SharedGroupCommit, ADecisionThatChangesNothingIsAnsweredByACommitThatChangesNothing) {
    EXPECT_EQ(send({remove(1)}), Answers{StatusCode::fail});
    EXPECT_EQ(sizes, std::vector<std::size_t>{0});
    EXPECT_EQ(send({add(1), remove(2)}), (Answers{StatusCode::ok, StatusCode::fail}));
    EXPECT_EQ(sizes, (std::vector<std::size_t>{0, 1}));
}

TEST_F(SharedGroupCommit, ADecisionThatChangesNothingIsNotToldWhenNobodyKnowsWhoLeads) {
    store.failCommit(1, CommitOutcome::notCommitted(otherLeads));
    EXPECT_EQ(send({remove(1)}), Answers{StatusCode::retry});
}

TEST_F(SharedGroupCommit, WhoeverIsSupersededSaysRetryToAllAndSaysSoOnce) {
    store.failCommit(1, CommitOutcome::notCommitted(otherLeads));
    EXPECT_EQ(send({add(1), remove(2), add(3)}),
              (Answers{StatusCode::retry, StatusCode::retry, StatusCode::retry}));
    EXPECT_EQ(send({add(4)}), Answers{StatusCode::retry});
    EXPECT_EQ(store.commits(), 1U);
    EXPECT_EQ(superseded, std::vector{otherLeads.text});
    EXPECT_EQ(clientsInStore(), 0U);
}

TEST_F(SharedGroupCommit, AnUnknownOutcomeThatIsFoundOutIsToldAndTheServerGoesOn) {
    store.failCommit(1, CommitOutcome::unknown(noAnswer), Effect::applied);
    store.failCommit(2, CommitOutcome::unknown(noAnswer));
    EXPECT_EQ(send({add(1)}), Answers{StatusCode::ok});
    EXPECT_EQ(send({add(2)}), Answers{StatusCode::systemError});
    EXPECT_EQ(send({add(2)}), Answers{StatusCode::ok});
    EXPECT_TRUE(superseded.empty());
}

TEST_F(SharedGroupCommit, AnOutcomeThatStaysUnknownIsToldToNobodyAndEndsThisLeadership) {
    std::vector<registry::Request> requests;
    for (std::size_t port = 1; port <= store.batchLimit() + 1; ++port)
        requests.push_back(add(static_cast<std::uint16_t>(port)));
    store.failCommit(1, CommitOutcome::unknown(noAnswer), Effect::applied);
    store.answerOutcome(CommitOutcome::unknown(noAnswer));
    const auto answers = send(requests);
    const auto isUnanswered = [](const auto& answer) { return !answer.has_value(); };
    EXPECT_EQ(std::ranges::count_if(answers, isUnanswered), static_cast<long>(store.batchLimit()));
    EXPECT_TRUE(answers.back() && *answers.back() == StatusCode::retry) << "it was never sent";
    EXPECT_EQ(superseded.size(), 1U);
    EXPECT_EQ(store.loads(), 1U) << "whoever leads next reads it again, not we";
    EXPECT_EQ(send({add(9999)}), Answers{StatusCode::retry});
}

TEST_F(SharedGroupCommit, AnEndedOneAnswersRetryWithoutAnAttempt) {
    group.end("told so");
    group.end("told so again");
    EXPECT_EQ(send({add(1), remove(2)}), (Answers{StatusCode::retry, StatusCode::retry}));
    EXPECT_EQ(store.commits(), 0U);
    EXPECT_EQ(superseded, std::vector<std::string>{"told so"});
}

TEST_F(SharedGroupCommit, ABatchHasNoMoreBytesThanTheStoreTakes) {
    store.limitBytes(400);
    std::vector<registry::Request> requests;
    for (std::uint16_t port = 1; port <= 10; ++port)
        requests.push_back(add(port, std::string(100, 'x')));
    EXPECT_EQ(send(requests), Answers(10, StatusCode::ok));
    EXPECT_GE(sizes.size(), 3U) << "each of at most 400 bytes, as FailingStore sees to";
    EXPECT_EQ(std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}), 10U);
    EXPECT_EQ(clientsInStore(), 10U);
}

TEST_F(SharedGroupCommit, AClientThatNoBatchCouldTakeIsRefusedBeforeItIsTried) {
    store.limitBytes(400);
    GroupCommit limited(store, clock, {}, {});
    limited.load(*store.load());
    StatusCode code{};
    std::vector<Act> one;
    one.emplace_back(Submission{add(1, std::string(1000, 'x')),
                                [&](const Outcome& outcome) { code = outcome.reply->code; }});
    limited.process(one);
    EXPECT_EQ(code, StatusCode::lowResource);
    EXPECT_EQ(clientsInStore(), 0U);
}

Snapshot twoClients() {
    Snapshot rows;
    for (RecordId id = 1; id <= 2; ++id)
        rows.clients.push_back({id, {*IpAddress::parse("192.0.2.7"), static_cast<std::uint16_t>(id)}, "0:"});
    return rows;
}

CommitOutcome undone() {
    auto outcome = CommitOutcome::notCommitted({ErrorCode::noSpace, "full"});
    outcome.isCleared = true;
    return outcome;
}

TEST_F(SharedGroupCommit, FillsAnEmptyStoreAndForgetsTheRemovalsThatWereThere) {
    send({add(1), remove(1)});
    ASSERT_TRUE(group.fill(twoClients()));
    EXPECT_EQ(group.view().registry.clients(), 2U);
    EXPECT_EQ(memory.load()->clients.size(), 2U);
    EXPECT_TRUE(memory.load()->removals.empty());
    EXPECT_EQ(send({add(1)}), Answers{StatusCode::ok}) << "it goes on behind it";
}

TEST_F(SharedGroupCommit, DoesNotFillAStoreThatHoldsClients) {
    send({add(1)});
    EXPECT_EQ(group.fill(twoClients()).error().code, ErrorCode::busy);
    EXPECT_EQ(clientsInStore(), 1U);
}

TEST_F(SharedGroupCommit, AFillingThatIsRefusedChangesNothing) {
    store.failCommit(1, CommitOutcome::notCommitted({ErrorCode::noSpace, "full"}));
    const auto loads = store.loads();
    EXPECT_EQ(group.fill(twoClients()).error().code, ErrorCode::noSpace);
    EXPECT_EQ(store.loads(), loads) << "a full store could not even be read, as that writes";
    EXPECT_EQ(group.view().registry.clients(), 0U);
    EXPECT_EQ(send({add(1)}), Answers{StatusCode::ok});
}

TEST_F(SharedGroupCommit, AfterAFillingThatWasUndoneTheStoreTellsWhatIsThere) {
    send({add(1), remove(1)});
    store.failCommit(1, undone());
    // As a restore in etcd that was undone leaves it: the memory of the removal went with it.
    store.beforeCommit([this](BatchId, std::span<const Change>) {
        if (memory.load()->removals.empty()) return;
        const auto left = memory.load();
        const std::vector<Change> forgotten{ForgottenRecord{1, left->removals[0].client}};
        ASSERT_EQ(memory.commit(left->head + 1, forgotten).state, store::CommitState::committed);
    });
    ASSERT_FALSE(group.fill(twoClients()));
    EXPECT_EQ(send({remove(1)}), Answers{StatusCode::fail});
}

TEST_F(SharedGroupCommit, AFillingThatFailedMayBeRepeatedAtOnce) {
    store.failCommit(1, undone());
    ASSERT_FALSE(group.fill(twoClients()));
    EXPECT_TRUE(group.view().isCurrent);
    EXPECT_TRUE(group.fill(twoClients()));
    EXPECT_EQ(group.view().registry.clients(), 2U);
}

TEST_F(SharedGroupCommit, WhoeverIsFoundSupersededWhenTheStoreIsReadAgainSaysRetry) {
    store.failCommit(1, undone());
    store.failLoad(noAnswer);
    ASSERT_FALSE(group.fill(twoClients()));
    EXPECT_FALSE(group.view().isCurrent);
    store.failLoad(otherLeads);
    EXPECT_EQ(send({add(1)}), Answers{StatusCode::retry});
    EXPECT_EQ(superseded, std::vector{otherLeads.text});
}

TEST_F(SharedGroupCommit, SaysThatItIsAtLongWorkWhileItFills) {
    const auto flag = group.isAtLongWork();
    bool wasSet = false;
    store.beforeCommit([&](BatchId, std::span<const Change>) { wasSet = *flag; });
    ASSERT_TRUE(group.fill(twoClients()));
    EXPECT_TRUE(wasSet);
    EXPECT_FALSE(*flag);
}

TEST_F(SharedGroupCommit, AFillingWhoseOutcomeIsUnknownIsNeverSaidToHaveChangedNothing) {
    store.failCommit(1, CommitOutcome::unknown(noAnswer), Effect::applied);
    store.answerOutcome(CommitOutcome::unknown(noAnswer));
    EXPECT_EQ(group.fill(twoClients()).error().code, ErrorCode::superseded);
    EXPECT_EQ(superseded.size(), 1U);
    EXPECT_EQ(send({add(1)}), Answers{StatusCode::retry});
}

class OwnGroupCommit : public SharedGroupCommit {
protected:
    void SetUp() override { group.load(*store.load()); }

    Result<void> fillWithoutAnOutcome(Effect effect) {
        store.failCommit(1, CommitOutcome::unknown(noAnswer), effect);
        store.answerOutcome(CommitOutcome::unknown(noAnswer));
        return group.fill(twoClients());
    }
};

TEST_F(OwnGroupCommit, WhatBecameOfAFillingIsToldByTheStoreAsSoonAsItCanBeRead) {
    EXPECT_EQ(fillWithoutAnOutcome(Effect::nothing).error().code, ErrorCode::busy) << "nothing was changed";
    EXPECT_TRUE(fillWithoutAnOutcome(Effect::applied));
    EXPECT_EQ(group.view().registry.clients(), 2U);
}

TEST_F(OwnGroupCommit, UntilThenNobodyIsToldThatNothingWasChangedNorThatNobodyIsThere) {
    store.failLoad(noAnswer);
    EXPECT_EQ(fillWithoutAnOutcome(Effect::applied).error().code, ErrorCode::superseded);
    EXPECT_FALSE(group.view().isCurrent);
    store.failLoad(noAnswer);
    group.lookAgain();
    EXPECT_FALSE(group.view().isCurrent);
    EXPECT_EQ(group.fill(twoClients()).error().code, ErrorCode::busy) << "now it is read: they are there";
    EXPECT_TRUE(group.view().isCurrent);
    EXPECT_EQ(group.view().registry.clients(), 2U);
}

TEST_F(OwnGroupCommit, AFillingThatIsCommittedAndCannotBeReadIsNoEmptyStore) {
    store.failLoad(noAnswer);
    EXPECT_TRUE(group.fill(twoClients()));
    EXPECT_FALSE(group.view().isCurrent);
    group.lookAgain();
    EXPECT_EQ(group.view().registry.clients(), 2U);
}

}  // namespace
}  // namespace crnpd::commit
