// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Events, removals and marks beside the messages of clients, and what the audience hears of it all.
#include <algorithm>

#include <gtest/gtest.h>

#include "common/event_codec.h"
#include "common/registration_codec.h"
#include "server/commit/group_commit.h"
#include "server/store/memory_store.h"
#include "tests/support/failing_store.h"
#include "tests/support/manual_clock.h"

namespace crnpd::commit {
namespace {

using store::CommitOutcome;
using Effect = store::FailingStore::Effect;
using How = ClientChanged::How;
using Strings = std::vector<std::string>;

const Error noAnswer{ErrorCode::busy, "no answer"};
const Error diskFull{ErrorCode::noSpace, "disk full"};
const Error broken{ErrorCode::io, "input/output error"};
const Error otherLeads{ErrorCode::superseded, "node2 leads"};

// Remembers what the commits had besides clients.
class RecordingStore final : public store::RegistrationStore {
public:
    Result<Snapshot> load() noexcept override { return inner.load(); }
    std::size_t batchLimit() const noexcept override { return inner.batchLimit(); }
    CommitOutcome carryOut(BatchId batch, std::span<const Change> changes,
                           const EventChanges& events) noexcept override {
        commits.push_back(events);
        return inner.commit(batch, changes, events);
    }
    CommitOutcome outcomeOf(BatchId batch, std::chrono::milliseconds limit) noexcept override {
        return inner.outcomeOf(batch, limit);
    }

    store::MemoryStore inner;
    std::vector<EventChanges> commits;
};

CallbackAddress client(std::uint16_t port) {
    return {*IpAddress::parse("192.0.2.1"), port};
}
std::shared_ptr<const Event> event(const std::string& name) {
    return std::make_shared<const Event>(Event{name, "S", "V", "P", {}});
}

// What was told, in short.
std::string text(const Committed& one) {
    if (const auto* event = std::get_if<EventPublished>(&one))
        return std::to_string(event->sequence) + " event " + event->event->eventClass;
    if (const auto* changed = std::get_if<ClientChanged>(&one)) {
        constexpr const char* hows[]{"joined", "added", "reduced", "heard"};
        return std::to_string(changed->record.added) + " " + hows[static_cast<int>(changed->how)];
    }
    if (const auto* reloaded = std::get_if<AllReloaded>(&one))
        return "reloaded " + std::to_string(reloaded->rows->clients.size());
    return "left";
}

class DeliveryActs : public testing::Test {
protected:
    RecordingStore recording;
    store::FailingStore store{recording};
    support::ManualClock clock;
    Strings heard;  // by the audience
    NewsNumber told = 0;
    Strings answers;  // to whoever asked, and what the audience had heard by then
    registry::Rules rules;
    std::unique_ptr<GroupCommit> group;
    std::vector<Act> acts;

    void SetUp() override {
        GroupCommit::Options options;
        options.audience = [this](const std::vector<Committed>& news) {
            for (const auto& one : news) {
                heard.push_back(text(one));
                if (const auto* changed = std::get_if<ClientChanged>(&one)) told = changed->number;
                if (const auto* reloaded = std::get_if<AllReloaded>(&one)) told = reloaded->number;
            }
        };
        rules.bytesPerEvent = 1000;
        group = std::make_unique<GroupCommit>(store, clock, rules, std::move(options));
        group->load(*store.load());
    }
    void answered(const std::string& answer) {
        answers.push_back(answer + "/" + std::to_string(heard.size()));
    }

    void message(RegistrationType type, const std::string& eventClass = "A", std::uint16_t port = 1) {
        acts.emplace_back(
            Submission{{client(port), type, {{eventClass, {}, {}}}}, [this](const Outcome& outcome) {
                           answered(outcome.reply ? std::string(name(outcome.reply->code)) : "-");
                       }});
    }
    void add(const std::string& eventClass = "A", std::uint16_t port = 1) {
        message(RegistrationType::addClient, eventClass, port);
    }
    void publish(const std::string& name, std::optional<std::string> post = std::nullopt) {
        acts.emplace_back(Publication(event(name), std::move(post), [this](const Result<Sequence>& number) {
            answered(number ? std::to_string(*number)
                            : "error " + std::to_string(static_cast<int>(number.error().code)));
        }));
    }
    // By somebody who has heard all that was told so far, or less.
    void remove(NewsNumber less = 0) {
        acts.emplace_back(Eviction{client(1), told - less, [this](Removal removal) {
                                       constexpr const char* names[]{"removed", "spoke", "impossible"};
                                       answered(names[static_cast<int>(removal)]);
                                   }});
    }
    void keep(MarkRecord mark, std::vector<Sequence> released) {
        acts.emplace_back(Keeping{std::move(mark), std::move(released),
                                  [this](bool kept) { answered(kept ? "kept" : "not kept"); }});
    }
    void go() {
        group->process(acts);
        acts.clear();
    }
    static std::string error(ErrorCode code) { return "error " + std::to_string(static_cast<int>(code)); }
};

TEST_F(DeliveryActs, MessagesAndEventsOfOneCommitAreToldInTheirOrderAndBeforeAnybodyIsAnswered) {
    add("A");
    publish("E");
    message(RegistrationType::addEvents, "B");
    go();
    EXPECT_EQ(heard, (Strings{"1 joined", "2 event E", "3 added"}));
    EXPECT_EQ(answers, (Strings{"OK/3", "2/3", "OK/3"}));
    EXPECT_EQ(store.commits(), 1U);
}

TEST_F(DeliveryActs, AGroupThatHasOnlyAnEventIsCommitted) {
    publish("E");
    go();
    ASSERT_EQ(recording.commits.size(), 1U);
    EXPECT_EQ(recording.commits[0].published, (std::vector<EventRecord>{{1, encodeEvent(*event("E"))}}));
    EXPECT_EQ(answers, Strings{"1/1"});
}

TEST_F(DeliveryActs, ARepeatedAddClientIsCommittedAndToldAsJoined) {
    add();
    go();
    add();
    go();
    EXPECT_EQ(store.commits(), 2U);
    EXPECT_EQ(heard, (Strings{"1 joined", "2 joined"}));
}

TEST_F(DeliveryActs, AMessageThatChangesNothingIsHeardWithoutACommit) {
    add();
    go();
    message(RegistrationType::addEvents);
    go();
    EXPECT_EQ(store.commits(), 1U);
    EXPECT_EQ(heard, (Strings{"1 joined", "1 heard"}));
    EXPECT_EQ(answers.back(), "OK/2");
}

TEST_F(DeliveryActs, OnASharedStoreItIsHeardOnceACommitHasShownThatWeLead) {
    store.share();
    add();
    go();
    store.failCommit(1, CommitOutcome::notCommitted(otherLeads));
    message(RegistrationType::addEvents);
    go();
    EXPECT_EQ(heard, Strings{"1 joined"});
}

TEST_F(DeliveryActs, OfWhatWasNotCommittedNothingIsToldAndNobodyHearsOk) {
    store.failCommit(1, CommitOutcome::notCommitted(diskFull));
    add();
    publish("E");
    keep({}, {1});
    go();
    EXPECT_TRUE(heard.empty());
    EXPECT_EQ(answers, (Strings{"LOW_RESOURCE/0", error(ErrorCode::noSpace) + "/0", "not kept/0"}));
    publish("F");
    go();
    EXPECT_EQ(heard, Strings{"1 event F"}) << "its number was never told";
}

TEST_F(DeliveryActs, APublisherHearsWhetherToRepeat) {
    for (const auto& [reason, code] :
         {std::pair{noAnswer, ErrorCode::busy}, {broken, ErrorCode::io}, {otherLeads, ErrorCode::busy}}) {
        store.failCommit(1, CommitOutcome::notCommitted(reason));
        publish("E");
        go();
        EXPECT_EQ(answers.back(), error(code) + "/0");
    }
}

TEST_F(DeliveryActs, AnUnknownOutcomeThatIsFoundCommittedIsToldOnce) {
    store.failCommit(1, CommitOutcome::unknown(noAnswer), Effect::applied);
    add();
    publish("E");
    go();
    EXPECT_EQ(heard, (Strings{"1 joined", "2 event E"}));
    EXPECT_EQ(answers, (Strings{"OK/2", "2/2"}));
}

TEST_F(DeliveryActs, AnOutcomeThatStaysUnknownIsToldByTheReload) {
    add();
    go();
    store.failCommit(1, CommitOutcome::unknown(noAnswer), Effect::applied);
    store.answerOutcome(CommitOutcome::unknown(noAnswer));
    add("A", 2);
    publish("E");
    remove();
    keep({}, {});
    go();
    EXPECT_EQ(heard, Strings{"1 joined"});
    EXPECT_EQ(answers,
              (Strings{"OK/1", "-/1", error(ErrorCode::superseded) + "/1", "impossible/1", "not kept/1"}));
    message(RegistrationType::addEvents, "B");
    go();
    EXPECT_EQ(heard.at(1), "reloaded 1");
}

TEST_F(DeliveryActs, OnASharedStoreAnOutcomeThatStaysUnknownIsToldByNobody) {
    store.share();
    store.failCommit(1, CommitOutcome::unknown(noAnswer), Effect::applied);
    store.answerOutcome(CommitOutcome::unknown(noAnswer));
    publish("E");
    go();
    publish("F");
    go();
    EXPECT_TRUE(heard.empty());
    EXPECT_EQ(answers, (Strings{error(ErrorCode::superseded) + "/0", error(ErrorCode::busy) + "/0"}));
}

TEST_F(DeliveryActs, WhileALostStoreCannotBeReadNothingIsPublished) {
    store.failCommit(1, CommitOutcome::unknown(broken));
    store.answerOutcome(CommitOutcome::unknown(broken));
    publish("E");
    go();
    store.failLoad(broken);
    publish("F");
    remove();
    go();
    EXPECT_EQ(answers[1], error(ErrorCode::io) + "/0");
    EXPECT_EQ(answers[2], "impossible/0");
    EXPECT_EQ(store.commits(), 1U);
}

TEST_F(DeliveryActs, AFilledStoreIsToldAsAWhole) {
    Snapshot rows;
    rows.clients.push_back({1, client(7), encodeRegistrations({})});
    ASSERT_TRUE(group->fill(rows));
    EXPECT_EQ(heard, Strings{"reloaded 1"});
}

TEST_F(DeliveryActs, ARemovalIsToldBeforeItIsAnswered) {
    add();
    go();
    remove();
    go();
    EXPECT_EQ(heard, (Strings{"1 joined", "left"}));
    EXPECT_EQ(answers.back(), "removed/2");
    EXPECT_EQ(recording.load()->removals.size(), 1U);
}

TEST_F(DeliveryActs, ARemovalOfAClientThatHasJustSpokenIsDecidedByWhatWasCommitted) {
    add();
    add();
    remove();
    go();
    EXPECT_EQ(answers.back(), "spoke/2");
    store.failCommit(1, CommitOutcome::notCommitted(noAnswer));
    add();
    remove();
    go();
    EXPECT_EQ(answers.back(), "removed/3") << "what it spoke was not committed";
}

TEST_F(DeliveryActs, AnOkIsNotTakenBackByARemovalThatWasAskedForBefore) {
    add();
    go();
    for (const bool isShared : {false, true}) {
        if (isShared) store.share();
        message(RegistrationType::addEvents);
        remove();
        message(RegistrationType::addEvents);
        go();
        EXPECT_EQ(answers[answers.size() - 2].substr(0, 6), "spoke/") << "in the same group";
        remove(1);
        go();
        EXPECT_EQ(answers.back().substr(0, 6), "spoke/") << "in a later one";
    }
    remove();
    go();
    EXPECT_EQ(heard.back(), "left");
}

TEST_F(DeliveryActs, WhatAClientSaysAfterItsRemovalIsNotOk) {
    add();
    go();
    remove();
    message(RegistrationType::addEvents);
    go();
    EXPECT_EQ(answers, (Strings{"OK/1", "removed/2", "FAIL/2"}));
}

TEST_F(DeliveryActs, ANumberReachesTheStoreBeforeItsClientIsRemoved) {
    add();
    message(RegistrationType::removeClient);
    go();
    EXPECT_EQ(store.commits(), 2U) << "in one commit the row would never have the number";
    EXPECT_EQ(heard, (Strings{"1 joined", "left"}));
}

TEST_F(DeliveryActs, APostIsAnsweredByTheCommitThatHasItsEvent) {
    store.share();
    publish("E", "post 7");
    go();
    EXPECT_EQ(recording.commits.at(0).answered, (std::vector<PostedAnswer>{{"post 7", 1}}));
}

TEST_F(DeliveryActs, AnEventThatIsTooLargeIsRefusedAloneAndTheOthersGoOn) {
    publish(std::string(1000, 'x'));
    publish("E");
    go();
    EXPECT_EQ(answers, (Strings{error(ErrorCode::noSpace) + "/0", "1/1"}));
    EXPECT_EQ(store.commits(), 1U);
}

TEST_F(DeliveryActs, AnEventThatTheStoreCouldNotTakeIsRefused) {
    store.limitBytes(100);
    group->setRules(rules);
    publish(std::string(100, 'x'));
    go();
    EXPECT_EQ(answers, Strings{error(ErrorCode::noSpace) + "/0"});
}

TEST_F(DeliveryActs, ACommitHasNoMoreOperationsThanTheStoreTakes) {
    const auto most = store.batchLimit();
    for (std::size_t i = 0; i <= most; ++i)
        publish("E");
    keep({}, std::vector<Sequence>(most - 1, 1));
    go();
    ASSERT_EQ(recording.commits.size(), 3U);
    EXPECT_EQ(recording.commits[0].size(), most);
    EXPECT_EQ(recording.commits[1].size(), 1U);
    EXPECT_EQ(recording.commits[2].size(), most);
    EXPECT_EQ(answers.size(), most + 2);
}

TEST_F(DeliveryActs, ACommitHasNoMoreBytesThanTheStoreTakes) {
    store.limitBytes(500);
    for (int i = 0; i < 10; ++i)
        publish(std::string(100, 'x'));
    go();
    for (const auto& one : recording.commits)
        EXPECT_LE(one.published.size(), 4U);
    EXPECT_EQ(heard.size(), 10U);
}

}  // namespace
}  // namespace crnpd::commit
