// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What every store promises (server/store/registration_store.h), as a suite that any kind of store joins:
//
//     INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, testing::Values(Kind{"mine", makeMyBacking}),
//     kindName);
//
// To be included by one source of a test program, inside of which the suite then runs.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/store/registration_store.h"
#include "tests/support/store_folder.h"

namespace crnpd::store {

using Changes = std::vector<Change>;

// Where a kind of store keeps its things, and how it is opened; opened twice, it holds the same.
class Backing {
public:
    virtual ~Backing() = default;
    // The one opened before is closed by then; unless it is shared, then it is superseded.
    virtual std::unique_ptr<RegistrationStore> open() = 0;
};

struct Kind {
    std::string name;
    std::function<std::unique_ptr<Backing>()> make;
};

inline void PrintTo(const Kind& kind, std::ostream* out) {
    *out << kind.name;
}

inline std::string kindName(const testing::TestParamInfo<Kind>& kind) {
    return kind.param.name;
}

class StoreContract : public testing::TestWithParam<Kind> {
protected:
    std::unique_ptr<Backing> backing = GetParam().make();
    std::unique_ptr<RegistrationStore> store = backing->open();
    Snapshot expected;

    void SetUp() override { EXPECT_EQ(loaded(), expected); }

    Snapshot loaded() {
        auto snapshot = store->load();
        if (snapshot) return *snapshot;
        ADD_FAILURE() << snapshot.error().text;
        return {};
    }

    void reopen() {
        store.reset();
        store = backing->open();
    }

    void commit(const Changes& changes, const EventChanges& events = {}) {
        const auto outcome = store->commit(expected.head + 1, changes, events);
        ASSERT_EQ(outcome.state, CommitState::committed) << outcome.reason.text;
        apply(expected, expected.head + 1, changes, events);
    }

    void fill(const Changes& changes) {
        const auto outcome = store->fill(expected.head + 1, changes);
        ASSERT_EQ(outcome.state, CommitState::committed) << outcome.reason.text;
        apply(expected, expected.head + 1, changes);
    }

    // More than one commit takes.
    Changes manyClients() {
        Changes changes;
        for (RecordId id = 1; id <= 2 * store->batchLimit() + 3; ++id)
            changes.emplace_back(client(id));
        return changes;
    }
};

TEST_P(StoreContract, HoldsAClientThatWasCommitted) {
    commit({client(1)});
    reopen();
    EXPECT_EQ(loaded(), expected);
}

TEST_P(StoreContract, HoldsAWholeBatchInOrder) {
    commit({client(1), client(2, 0), largeClient(3, 20'000), removal(4)});
    reopen();
    EXPECT_EQ(loaded(), expected);
}

TEST_P(StoreContract, HoldsTheLastContentOfARow) {
    commit({client(1), client(2)});
    commit({client(1, 7)});
    commit({removal(2)});
    commit({client(2, 3), forgotten(1)});
    reopen();
    EXPECT_EQ(loaded(), expected);
    EXPECT_EQ(expected.clients.size(), 1U);
}

TEST_P(StoreContract, ForgetsARememberedRemoval) {
    commit({client(1)});
    commit({removal(1)});
    EXPECT_EQ(loaded().removals.size(), 1U);
    commit({forgotten(1)});
    EXPECT_EQ(loaded(), expected);
    EXPECT_TRUE(expected.clients.empty() && expected.removals.empty());
}

TEST_P(StoreContract, ForgettingWhatIsNotThereIsNoFault) {
    commit({forgotten(77)});
    EXPECT_EQ(loaded(), expected);
}

TEST_P(StoreContract, TakesABatchAsLargeAsItsLimit) {
    Changes changes;
    for (RecordId id = 1; id <= store->batchLimit(); ++id)
        changes.emplace_back(client(id));
    commit(changes);
    reopen();
    EXPECT_EQ(loaded(), expected);
}

TEST_P(StoreContract, TakesABatchWithAsManyBytesAsItsLimit) {
    constexpr std::size_t worthTrying = 16U << 20U;
    if (store->bytesLimit() > worthTrying) return;  // it has none
    constexpr std::size_t frame = 20;               // of one registration in its stored form, at most
    const auto each = store->bytesLimit() / store->batchLimit() - frame;
    Changes changes;
    for (RecordId id = 1; id <= store->batchLimit(); ++id)
        changes.emplace_back(largeClient(id, each));
    commit(changes);
    commit({largeClient(1, store->bytesLimit() - frame)});
    reopen();
    EXPECT_EQ(loaded(), expected);
}

TEST_P(StoreContract, CountsBatchesAcrossReopening) {
    for (RecordId id = 1; id <= 5; ++id) {
        commit({client(id)});
        reopen();
        EXPECT_EQ(loaded().head, id);
    }
}

TEST_P(StoreContract, LoadsAgainWithoutBeingReopened) {
    commit({client(1)});
    EXPECT_EQ(loaded(), expected);
    EXPECT_EQ(loaded(), expected);
    commit({client(2)});
    EXPECT_EQ(loaded(), expected);
}

TEST_P(StoreContract, RefusesABatchThatIsNotTheNext) {
    commit({client(1)});
    EXPECT_EQ(store->commit(1, Changes{client(2)}).state, CommitState::notCommitted);
    EXPECT_EQ(loaded(), expected);
    EXPECT_EQ(store->commit(3, Changes{client(2)}).state, CommitState::notCommitted);
    EXPECT_EQ(loaded(), expected);
}

TEST_P(StoreContract, KeepsOddTextsAndAddressesByteByByte) {
    auto odd = client(1);
    odd.client = {*IpAddress::parse("2001:db8::ffff:1"), 65535};
    odd.registrations = "1:9:\xC3\xA4'\"\n\\%;\x01-0:";
    auto zero = client(2);
    zero.registrations = std::string("1:3:a\0b-0:", 10);
    auto mapped = client(3);
    mapped.client = {*IpAddress::parse("::ffff:192.0.2.1"), 1};
    commit({odd, zero, mapped, removal(4, -1), removal(9'000'000'000'000'000'000, 0)});
    reopen();
    EXPECT_EQ(loaded(), expected);
}

TEST_P(StoreContract, HoldsEventsInTheirOrder) {
    commit({client(1)}, {.published = {event(9), event(10)}});
    commit({}, {.published = {event(11), event(100)}});
    reopen();
    EXPECT_EQ(loaded(), expected);
    EXPECT_EQ(expected.events.size(), 4U);
}

TEST_P(StoreContract, ReleasesEventsAndMindsNoneThatHasGone) {
    commit({}, {.published = {event(1), event(2), event(3)}});
    commit({}, {.released = {1, 3}});
    commit({client(1)}, {.published = {event(4)}, .released = {1, 2, 77}});
    reopen();
    EXPECT_EQ(loaded(), expected);
    EXPECT_EQ(expected.events, std::vector{event(4)});
}

TEST_P(StoreContract, HoldsTheMarkThatWasPutLast) {
    commit({}, {.mark = MarkRecord{7, {{2, 3}, {9, 6}}}});
    EXPECT_EQ(loaded(), expected);
    commit({}, {.mark = MarkRecord{12, {}}});
    commit({client(1)});
    reopen();
    EXPECT_EQ(loaded().mark, (MarkRecord{12, {}}));
}

TEST_P(StoreContract, KnowsTheLastNumberWhenItsEventHasGone) {
    commit({}, {.published = {event(41)}});
    commit({}, {.released = {41}});
    reopen();
    EXPECT_EQ(loaded().last, 41U);
    commit({client(1)});
    EXPECT_EQ(loaded().last, 41U);
}

TEST_P(StoreContract, HoldsWhereAClientSpokeToAndItsNumbers) {
    auto joined = client(1);
    joined.via = *IpAddress::parse("192.0.2.7");
    joined.joined = 5;
    joined.added = 8;
    auto added = client(2);
    added.via = *IpAddress::parse("2001:db8::7");
    added.added = 3;
    commit({joined, added, client(3)});
    reopen();
    EXPECT_EQ(loaded(), expected);
    EXPECT_EQ(expected.last, 8U);
    commit({removal(1)});
    commit({client(2)});
    EXPECT_EQ(loaded(), expected);
}

TEST_P(StoreContract, FillsAnEmptyStoreWithMoreThanABatchTakes) {
    fill(manyClients());
    reopen();
    EXPECT_EQ(loaded(), expected);
    EXPECT_EQ(expected.head, 1U);
}

TEST_P(StoreContract, FillingKeepsWhatItDoesNotNameAndReplacesWhatItDoes) {
    commit({removal(1), removal(2), removal(100'000)});
    auto changes = manyClients();
    changes.insert(changes.begin(), {forgotten(1), forgotten(2)});
    fill(changes);
    EXPECT_EQ(loaded(), expected);
    EXPECT_EQ(expected.removals.size(), 1U);
}

TEST_P(StoreContract, FillingMayGiveAnAddressAnotherId) {
    commit({removal(7)});
    auto same = client(1);
    same.client = removal(7).client;
    auto changes = manyClients();
    changes.front() = same;
    changes.insert(changes.begin(), forgotten(7));
    std::erase_if(changes, [](const Change& change) {
        const auto* record = std::get_if<ClientRecord>(&change);
        return record != nullptr && record->id == 7;
    });
    fill(changes);
    reopen();
    EXPECT_EQ(loaded(), expected);
}

TEST_P(StoreContract, GoesOnBehindAFilling) {
    fill(manyClients());
    commit({client(1, 5), removal(2), client(100'000)});
    reopen();
    EXPECT_EQ(loaded(), expected);
}

TEST_P(StoreContract, FillingWithLittleOrNothingIsABatchLikeAnyOther) {
    fill({client(1)});
    EXPECT_EQ(loaded(), expected);
    if (!store->isShared()) return;
    commit({removal(1)});
    fill({});
    EXPECT_EQ(loaded(), expected);
}

TEST_P(StoreContract, RefusesAFillingThatIsNotTheNextBatch) {
    commit({removal(1)});
    EXPECT_EQ(store->fill(1, manyClients()).state, CommitState::notCommitted);
    EXPECT_EQ(loaded(), expected);
}

// Behind everything that a single machine's lock can promise.
class SharedStoreContract : public StoreContract {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SharedStoreContract);

TEST_P(SharedStoreContract, ABatchWithoutChangesShowsThatWeLead) {
    ASSERT_TRUE(store->isShared());
    commit({client(1)});
    commit({});
    reopen();
    EXPECT_EQ(loaded(), expected);
    EXPECT_EQ(expected.head, 2U);
}

TEST_P(SharedStoreContract, WhoeverWasSupersededCommitsNothing) {
    commit({client(1)});
    const auto other = backing->open();
    for (const bool hasLoaded : {false, true}) {
        for (const Changes& changes : {Changes{client(2)}, Changes{}, manyClients()}) {
            const auto outcome = store->fill(2, changes);
            EXPECT_EQ(outcome.state, CommitState::notCommitted);
            EXPECT_EQ(outcome.reason.code, ErrorCode::superseded) << outcome.reason.text;
        }
        if (!hasLoaded) {
            EXPECT_EQ(*other->load(), expected);
        }
    }
    EXPECT_EQ(other->commit(2, Changes{client(3)}).state, CommitState::committed);
    EXPECT_EQ(store->commit(2, Changes{client(2)}).reason.code, ErrorCode::superseded);
    EXPECT_EQ(store->load().error().code, ErrorCode::superseded);
}

}  // namespace crnpd::store
