// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/etcd_store.h"

#include <deque>

#include <gtest/gtest.h>

#include "server/etcd/leadership.h"
#include "server/etcd/mirror.h"
#include "tests/support/simulated_etcd.h"
#include "tests/support/store_folder.h"

namespace crnpd::etcd {
namespace {

using store::client;
using store::CommitOutcome;
using store::CommitState;
using store::removal;
using Changes = std::vector<Change>;

// What becomes of a transaction that is sent.
enum class Fate { answered, lost, dropped, late, noSpace };

// Does with what is sent what the test says, and nothing special afterwards.
class ScriptedLink final : public KeyValue {
public:
    explicit ScriptedLink(support::SimulatedEtcd& etcd) : etcd_(etcd) {}

    void script(std::initializer_list<Fate> fates) { fates_.assign(fates); }
    // The n-th transaction from now on; the next is 1.
    void scriptNth(unsigned n, Fate fate) {
        fates_.assign(n - 1, Fate::answered);
        fates_.push_back(fate);
    }
    void always(std::optional<Fate> fate) { always_ = fate; }
    void beforeRead(std::function<void()> hook) { beforeRead_ = std::move(hook); }
    void afterLate(std::function<void()> hook) { afterLate_ = std::move(hook); }
    [[nodiscard]] unsigned sent() const { return sent_; }

    Result<TransactionAnswer> transact(const Transaction& transaction) noexcept override {
        ++sent_;
        const Error none{ErrorCode::busy, "no answer"};
        switch (next()) {
            case Fate::answered:
                return etcd_.carryOut(transaction);
            case Fate::lost:
                return none;
            case Fate::dropped:
                (void)etcd_.carryOut(transaction);
                return none;
            case Fate::late:
                etcd_.keepForLater(transaction);
                if (afterLate_) std::exchange(afterLate_, {})();
                return none;
            case Fate::noSpace:
                return Error{ErrorCode::noSpace, "etcd's space is exhausted"};
        }
        return none;
    }
    Result<Page> read(const std::string& prefix, const std::string& after, Revision at,
                      std::size_t limit) noexcept override {
        if (beforeRead_) std::exchange(beforeRead_, {})();
        if (always_ == Fate::lost) return Error{ErrorCode::busy, "no answer"};
        return etcd_.read(prefix, after, at, limit);
    }

private:
    Fate next() {
        if (fates_.empty()) return always_.value_or(Fate::answered);
        const auto fate = fates_.front();
        fates_.pop_front();
        return fate;
    }

    support::SimulatedEtcd& etcd_;
    std::deque<Fate> fates_;
    std::optional<Fate> always_;
    std::function<void()> beforeRead_;
    std::function<void()> afterLate_;
    unsigned sent_ = 0;
};

class FixedCopy final : public WarmCopy {
public:
    std::optional<Copy> content;
    Revision asked = 0;

    std::optional<Copy> takeAt(Revision revision, std::chrono::milliseconds) noexcept override {
        asked = revision;
        return content;
    }
};

class EtcdStoreTest : public testing::Test {
protected:
    static constexpr std::chrono::seconds limit{10};
    const Keys keys{"/crnpd"};

    support::ManualClock clock;
    support::SimulatedEtcd etcd{clock};
    ScriptedLink link{etcd};
    FixedCopy copy;
    support::Random random{1};
    std::unique_ptr<EtcdStore> store = elect();

    std::unique_ptr<EtcdStore> elect() {
        support::SimulatedLink perfect(etcd);
        const auto standing = seize(perfect, keys, *etcd.grant(std::chrono::hours{1}), {"another node", ""});
        EtcdStore::Options options;
        options.wait = [this](std::chrono::milliseconds time) { clock.advance(time); };
        return std::make_unique<EtcdStore>(link, clock, *standing->term, options, &copy);
    }
    Snapshot load(EtcdStore& from) {
        auto snapshot = from.load();
        if (snapshot) return *snapshot;
        ADD_FAILURE() << snapshot.error().text;
        return {};
    }
    // What somebody holds who has missed the row under `key`.
    std::optional<Copy> copyWithout(const std::string& key) {
        Mirror mirror(keys);
        const auto page = etcd.read(keys.prefix() + '/', "", 0, 1000);
        for (const auto& row : page->rows)
            EXPECT_TRUE(row.key == key || mirror.put(row));
        return std::move(mirror).copy();
    }
    ErrorCode loadError() {
        const auto snapshot = elect()->load();
        return snapshot ? ErrorCode::cancelled : snapshot.error().code;
    }
    // Batch 1 is committed, batch 2 is sent as `fate` says.
    void sendSecond(Fate fate) {
        load(*store);
        ASSERT_EQ(store->commit(1, Changes{client(1)}).state, CommitState::committed);
        link.script({fate});
        ASSERT_EQ(store->commit(2, Changes{client(2)}).state, CommitState::unknown);
    }
    // As by etcdctl.
    void putByHand(const std::string& key, const std::string& value) {
        (void)etcd.carryOut({{}, {Put{key, value}}, {}});
    }
    void deleteByHand(const std::string& key) { (void)etcd.carryOut({{}, {Delete{key}}, {}}); }
    void deliverAllLate() {
        while (etcd.hasLate())
            etcd.deliverLate(random);
    }
    // Takes over, commits one batch each, `terms` times.
    void othersLead(unsigned terms) {
        for (unsigned i = 0; i < terms; ++i) {
            auto other = elect();
            const auto head = load(*other).head;
            ASSERT_EQ(other->commit(head + 1, Changes{client(100 + i)}).state, CommitState::committed);
        }
    }
    CommitOutcome outcome() { return store->outcomeOf(2, limit); }
};

TEST_F(EtcdStoreTest, WhatNobodyAnsweredIsFoundOutBySendingItAgain) {
    for (const auto fate : {Fate::lost, Fate::dropped, Fate::late}) {
        store = elect();
        const auto head = load(*store).head;
        link.script({fate});
        ASSERT_EQ(store->commit(head + 1, Changes{client(head + 1)}).state, CommitState::unknown);
        EXPECT_EQ(store->outcomeOf(head + 1, limit).state, CommitState::committed);
        const auto revision = etcd.revision();
        deliverAllLate();
        EXPECT_EQ(etcd.revision(), revision) << "another copy changes nothing";
        EXPECT_EQ(store->commit(head + 2, Changes{}).state, CommitState::committed);
        EXPECT_EQ(load(*elect()).head, head + 2);
    }
}

TEST_F(EtcdStoreTest, ACopyThatComesAfterATakeoverIsRefusedAndSoItWasSaid) {
    sendSecond(Fate::late);
    auto other = elect();
    EXPECT_EQ(load(*other).clients.size(), 1U);
    const auto found = outcome();
    EXPECT_EQ(found.state, CommitState::notCommitted);
    EXPECT_EQ(found.reason.code, ErrorCode::superseded);
    deliverAllLate();
    EXPECT_EQ(load(*other).clients.size(), 1U);
}

TEST_F(EtcdStoreTest, ALeaderThatIsGoneIsEnoughEvenIfNobodyHasTakenOver) {
    sendSecond(Fate::late);
    deleteByHand(keys.leader());
    EXPECT_EQ(outcome().reason.code, ErrorCode::superseded);
    deliverAllLate();
    EXPECT_EQ(load(*elect()).clients.size(), 1U);
}

TEST_F(EtcdStoreTest, WhoeverTookOverTellsThatTheBatchCameInTime) {
    sendSecond(Fate::dropped);
    othersLead(7);
    EXPECT_EQ(outcome().state, CommitState::committed);
    EXPECT_EQ(store->commit(3, Changes{}).reason.code, ErrorCode::superseded);
}

TEST_F(EtcdStoreTest, WhoeverTookOverTellsThatTheBatchCameTooLate) {
    sendSecond(Fate::lost);
    othersLead(7);
    const auto found = outcome();
    EXPECT_EQ(found.state, CommitState::notCommitted);
    EXPECT_EQ(found.reason.code, ErrorCode::superseded);
}

TEST_F(EtcdStoreTest, ABatchThatNobodyHasReachedCameTooLateHoweverManyTermsAgo) {
    sendSecond(Fate::lost);
    for (unsigned i = 0; i < 20; ++i)
        load(*elect());
    EXPECT_EQ(outcome().state, CommitState::notCommitted);
}

TEST_F(EtcdStoreTest, AfterTooManyTermsNobodyKnowsAndNobodyIsToldAnything) {
    sendSecond(Fate::dropped);
    othersLead(9);
    EXPECT_EQ(outcome().state, CommitState::unknown);
    EXPECT_EQ(store->commit(3, Changes{}).state, CommitState::notCommitted);
    EXPECT_EQ(store->load().error().code, ErrorCode::superseded);
}

TEST_F(EtcdStoreTest, ARefusalForWantOfSpaceIsFinalOnlyIfNoOtherCopyIsUnderWay) {
    load(*store);
    link.script({Fate::noSpace});
    const auto refused = store->commit(1, Changes{client(7)});
    EXPECT_EQ(refused.state, CommitState::notCommitted);
    EXPECT_EQ(refused.reason.code, ErrorCode::noSpace);

    ASSERT_EQ(store->commit(1, Changes{client(1)}).state, CommitState::committed);
    link.script({Fate::late, Fate::noSpace, Fate::noSpace});
    ASSERT_EQ(store->commit(2, Changes{client(2)}).state, CommitState::unknown);
    EXPECT_EQ(store->outcomeOf(2, std::chrono::milliseconds{0}).state, CommitState::unknown);
    deliverAllLate();
    EXPECT_EQ(outcome().state, CommitState::committed);
    EXPECT_EQ(load(*elect()).clients.size(), 2U);
}

TEST_F(EtcdStoreTest, WhatStaysUnknownStopsTheStoreUntilItIsReadAgain) {
    sendSecond(Fate::dropped);
    link.always(Fate::lost);
    const auto begin = clock.steady();
    EXPECT_EQ(outcome().state, CommitState::unknown);
    EXPECT_GE(clock.steady() - begin, limit);
    link.always({});
    EXPECT_EQ(store->commit(3, Changes{}).reason.code, ErrorCode::busy);
    EXPECT_EQ(load(*store).head, 2U);
    EXPECT_EQ(store->commit(3, Changes{}).state, CommitState::committed);
}

TEST_F(EtcdStoreTest, ReadingAgainPutsACopyThatIsUnderWayOutOfReach) {
    sendSecond(Fate::late);
    EXPECT_EQ(load(*store).head, 1U);
    deliverAllLate();
    EXPECT_EQ(load(*store).head, 1U);
}

TEST_F(EtcdStoreTest, WhoeverIsAbandonedAsksNoMore) {
    sendSecond(Fate::lost);
    const auto sent = link.sent();
    store->abandon();
    EXPECT_EQ(outcome().state, CommitState::unknown);
    EXPECT_EQ(store->commit(2, Changes{}).reason.code, ErrorCode::superseded);
    EXPECT_EQ(store->load().error().code, ErrorCode::superseded);
    EXPECT_EQ(link.sent(), sent);
}

TEST_F(EtcdStoreTest, WhatAnotherProgramWroteIsNotOverwritten) {
    load(*store);
    putByHand(keys.head(), encodeHead(Head{1, 0, {}, false, 0, {}}));
    const auto refused = store->commit(1, Changes{client(1)});
    EXPECT_EQ(refused.state, CommitState::notCommitted);
    EXPECT_EQ(refused.reason.code, ErrorCode::foreign);
    EXPECT_FALSE(etcd.row(keys.client(client(1).client)));
}

TEST_F(EtcdStoreTest, WhatIsThereButCannotBeOursIsRefusedAndLeftAlone) {
    load(*store);
    ASSERT_EQ(store->commit(1, Changes{client(1), removal(2)}).state, CommitState::committed);
    const auto row = keys.client(client(1).client);
    const struct {
        std::string key;
        std::string value;
        ErrorCode code;
    } cases[]{{keys.format(), "crnpd registrations, format 3", ErrorCode::foreign},
              {keys.format(), "something", ErrorCode::damaged},
              {keys.head(), "something", ErrorCode::damaged},
              {row, "registered 1 x", ErrorCode::damaged},
              {row, "registered 2 0:", ErrorCode::damaged},
              {row, "registered 1 0:", ErrorCode::damaged},
              {keys.clients() + "192.0.2.77/1", "registered 77 0:", ErrorCode::damaged}};
    for (const auto& one : cases) {
        const auto before = etcd.row(one.key);
        putByHand(one.key, one.value);
        EXPECT_EQ(loadError(), one.code) << one.key << " = " << one.value;
        EXPECT_EQ(etcd.row(one.key)->value, one.value);
        before ? putByHand(one.key, before->value) : deleteByHand(one.key);
        EXPECT_EQ(loadError(), ErrorCode::cancelled);
    }
}

TEST_F(EtcdStoreTest, ARowOrAKeyThatIsMissingIsDamage) {
    load(*store);
    ASSERT_EQ(store->commit(1, Changes{client(1), client(2)}).state, CommitState::committed);
    for (const auto& key : {keys.client(client(1).client), keys.head(), keys.format()}) {
        const auto before = etcd.row(key);
        deleteByHand(key);
        EXPECT_EQ(loadError(), ErrorCode::damaged) << key;
        putByHand(key, before->value);
    }
    deleteByHand(keys.head());
    deleteByHand(keys.format());
    EXPECT_EQ(loadError(), ErrorCode::damaged);
    EXPECT_FALSE(etcd.row(keys.head())) << "nothing is made beside clients that somebody was promised";
}

TEST_F(EtcdStoreTest, EventsOrAMarkAloneAreDamageToo) {
    for (const auto& key : {keys.event(7), keys.mark()}) {
        putByHand(key, "anything");
        EXPECT_EQ(loadError(), ErrorCode::damaged) << key;
        deleteByHand(key);
    }
    putByHand(keys.post("1"), "an event that waits for the first server to lead");
    EXPECT_EQ(loadError(), ErrorCode::cancelled);
}

TEST_F(EtcdStoreTest, LoadingGoesOnUntilItIsAnsweredButNotForEver) {
    load(*store);
    ASSERT_EQ(store->commit(1, Changes{client(1)}).state, CommitState::committed);
    link.script({Fate::lost, Fate::answered, Fate::dropped, Fate::late, Fate::lost});
    EXPECT_EQ(load(*elect()).clients.size(), 1U);
    deliverAllLate();
    EXPECT_EQ(load(*elect()).clients.size(), 1U);
    link.always(Fate::lost);
    EXPECT_EQ(loadError(), ErrorCode::busy);
    link.always(Fate::noSpace);
    EXPECT_EQ(loadError(), ErrorCode::busy) << "there will be room again";
}

TEST_F(EtcdStoreTest, ManyRowsAreReadAsOfOneRevisionWhateverHappensMeanwhile) {
    load(*store);
    Changes changes;
    for (RecordId id = 1; id <= 2500; ++id)
        changes.emplace_back(client(id));
    ASSERT_EQ(store->fill(1, changes).state, CommitState::committed);
    link.beforeRead([&] { putByHand(keys.clients() + "192.0.2.77/1", "registered 9999 0:"); });
    EXPECT_EQ(load(*elect()).clients.size(), 2500U);
}

TEST_F(EtcdStoreTest, ARevisionThatWasCompactedAwayIsNoObstacle) {
    load(*store);
    ASSERT_EQ(store->commit(1, Changes{client(1)}).state, CommitState::committed);
    link.beforeRead([&] {
        putByHand("/other", "x");
        etcd.compact(etcd.revision());
    });
    EXPECT_EQ(load(*elect()).clients.size(), 1U);
}

TEST_F(EtcdStoreTest, AStandbysCopyIsTakenIfItIsRightAndIgnoredIfItIsNot) {
    load(*store);
    ASSERT_EQ(store->commit(1, Changes{client(2), removal(1), client(3)}).state, CommitState::committed);
    const auto truth = load(*elect());
    bool hasRead = false;
    copy.content = copyWithout("");
    link.beforeRead([&] { hasRead = true; });
    EXPECT_EQ(load(*elect()), truth);
    EXPECT_EQ(copy.asked, etcd.row(keys.head())->modified);
    EXPECT_FALSE(hasRead);
    copy.content = copyWithout(keys.client(client(3).client));
    EXPECT_EQ(load(*elect()), truth);
    EXPECT_TRUE(hasRead);
}

TEST_F(EtcdStoreTest, AClientOnAnInterfaceThatIsNotHereKeepsItsRowUntilItIsForgotten) {
    const auto key = keys.clients() + "fe80::1%elsewhere0/1";
    putByHand(keys.format(), formatText());
    putByHand(key, "registered 5 0:");
    Sum sum;
    sum.add(digestOf(key, "registered 5 0:"));
    putByHand(keys.head(), encodeHead(Head{1, 1, sum, false, 0, {}}));
    const auto lost = load(*store).clients.at(0);
    ASSERT_EQ(store->commit(2, Changes{RemovalRecord{5, lost.client, {}}}).state, CommitState::committed);
    EXPECT_EQ(etcd.row(key)->value, "removed 5 0");
    ASSERT_EQ(store->commit(3, Changes{ForgottenRecord{5, lost.client}}).state, CommitState::committed);
    EXPECT_FALSE(etcd.row(key));
    EXPECT_EQ(load(*elect()).removals.size(), 0U);
}

class Filling : public EtcdStoreTest {
protected:
    Changes many() {
        Changes changes{store::forgotten(1000)};
        for (RecordId id = 1; id <= 300; ++id)
            changes.emplace_back(client(id));
        return changes;
    }
    void SetUp() override {
        load(*store);
        ASSERT_EQ(store->commit(1, Changes{removal(1000)}).state, CommitState::committed);
    }
    CommitOutcome fill() {
        const auto changes = many();
        const auto first = store->fill(2, changes);
        return first.state == CommitState::unknown ? store->outcomeOf(2, limit) : first;
    }
    // Begins again with a store that holds one removal.
    void startAfresh() {
        deliverAllLate();
        (void)etcd.carryOut({{}, {Delete{"/crnpd", true}}, {}});
        store = elect();
        SetUp();
    }
};

// The mark, what is forgotten, and three times clients.
constexpr unsigned stepsOfFilling = 5;

TEST_F(Filling, SurvivesAnAnswerThatIsMissingAtAnyStep) {
    for (const auto fate : {Fate::lost, Fate::dropped, Fate::late}) {
        for (unsigned n = 1; n <= stepsOfFilling; ++n) {
            link.scriptNth(n, fate);
            EXPECT_EQ(fill().state, CommitState::committed) << "step " << n;
            deliverAllLate();
            EXPECT_EQ(load(*elect()).clients.size(), 300U) << "step " << n;
            startAfresh();
        }
    }
}

TEST_F(Filling, ThatIsRefusedOnTheWayLeavesNothingAndTheStoreGoesOn) {
    for (unsigned n = 1; n <= stepsOfFilling; ++n) {
        link.scriptNth(n, Fate::noSpace);
        const auto outcome = fill();
        EXPECT_EQ(outcome.state, CommitState::notCommitted);
        EXPECT_EQ(outcome.reason.code, ErrorCode::noSpace);
        EXPECT_EQ(outcome.isCleared, n > 1) << "the first step changes no row";
        EXPECT_EQ(store->commit(2, Changes{client(7)}).state, CommitState::committed);
        EXPECT_EQ(load(*elect()).clients.size(), 1U) << "step " << n;
        startAfresh();
    }
}

TEST_F(Filling, ThatIsRefusedAtOnceByAFullEtcdHasLeftNothingToTakeBack) {
    link.scriptNth(1, Fate::noSpace);
    link.always(Fate::noSpace);
    const auto outcome = store->fill(2, many());
    EXPECT_EQ(outcome.state, CommitState::notCommitted);
    EXPECT_EQ(outcome.reason.code, ErrorCode::noSpace);
    EXPECT_FALSE(outcome.isCleared);
    link.always({});
    EXPECT_EQ(store->commit(2, Changes{client(1)}).state, CommitState::committed)
        << "the same server goes on";
}

TEST_F(Filling, WhoseServerDiesOnTheWayIsWholeOrNotAtAll) {
    for (const auto last : {Fate::lost, Fate::dropped, Fate::late}) {
        for (unsigned n = 1; n <= stepsOfFilling; ++n) {
            link.scriptNth(n, last);
            link.always(Fate::lost);
            EXPECT_EQ(fill().state, CommitState::unknown);
            link.always({});
            const bool isWhole = n == stepsOfFilling && last == Fate::dropped;
            auto other = elect();
            EXPECT_EQ(load(*other).clients.size(), isWhole ? 300U : 0U) << "step " << n;
            deliverAllLate();
            EXPECT_EQ(load(*other).clients.size(), isWhole ? 300U : 0U) << "step " << n;
            EXPECT_EQ(load(*other).head, isWhole ? 2U : 1U);
            startAfresh();
        }
    }
}

TEST_F(Filling, ThatCannotBeTakenBackStaysUnknownUntilItCan) {
    link.scriptNth(3, Fate::noSpace);
    link.always(Fate::noSpace);
    EXPECT_EQ(store->fill(2, many()).state, CommitState::unknown);
    EXPECT_EQ(store->commit(2, Changes{}).reason.code, ErrorCode::busy);
    link.always({});
    EXPECT_EQ(store->outcomeOf(2, limit).reason.code, ErrorCode::noSpace);
    EXPECT_EQ(store->commit(2, Changes{client(1)}).state, CommitState::committed);
}

TEST_F(Filling, IsOverAtEveryStepOnceAnotherServerLeads) {
    for (unsigned n = 1; n <= stepsOfFilling; ++n) {
        link.scriptNth(n, Fate::late);
        std::unique_ptr<EtcdStore> other;
        link.afterLate([&] { other = elect(); });
        EXPECT_EQ(fill().reason.code, ErrorCode::superseded) << "step " << n;
        EXPECT_EQ(load(*other).clients.size(), 0U);
        deliverAllLate();
        EXPECT_EQ(load(*other).clients.size(), 0U);
        startAfresh();
    }
}

}  // namespace
}  // namespace crnpd::etcd
