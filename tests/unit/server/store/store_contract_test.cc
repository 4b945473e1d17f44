// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What every store promises (server/store/registration_store.h). A store joins by one more line at the end.
#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include <gtest/gtest.h>

#include "server/store/memory_store.h"
#include "server/store/sqlite_store.h"
#include "tests/support/store_folder.h"

namespace crnpd::store {
namespace {

using Changes = std::vector<Change>;

// Where a kind of store keeps its things, and how it is opened; opened twice, it holds the same.
class Backing {
public:
    virtual ~Backing() = default;
    // The one opened before is closed by then.
    virtual std::unique_ptr<RegistrationStore> open() = 0;
};

struct Kind {
    std::string name;
    std::function<std::unique_ptr<Backing>()> make;
};

void PrintTo(const Kind& kind, std::ostream* out) {
    *out << kind.name;
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

    void commit(const Changes& changes) {
        const auto outcome = store->commit(expected.head + 1, changes);
        ASSERT_EQ(outcome.state, CommitState::committed) << outcome.reason.text;
        apply(expected, expected.head + 1, changes);
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

class MemoryBacking final : public Backing {
public:
    std::unique_ptr<RegistrationStore> open() override { return std::make_unique<Shared>(*memory_); }

private:
    // A MemoryStore lives as long as its process; here it lives as long as the test.
    class Shared final : public RegistrationStore {
    public:
        explicit Shared(RegistrationStore& inner) : inner_(inner) {}
        Result<Snapshot> load() noexcept override { return inner_.load(); }
        std::size_t batchLimit() const noexcept override { return inner_.batchLimit(); }
        CommitOutcome commit(BatchId batch, std::span<const Change> changes) noexcept override {
            return inner_.commit(batch, changes);
        }
        CommitOutcome outcomeOf(BatchId batch, std::chrono::milliseconds limit) noexcept override {
            return inner_.outcomeOf(batch, limit);
        }

    private:
        RegistrationStore& inner_;
    };

    std::unique_ptr<MemoryStore> memory_ = std::make_unique<MemoryStore>();
};

class SqliteBacking final : public Backing {
public:
    std::unique_ptr<RegistrationStore> open() override {
        return std::make_unique<SqliteStore>(SqliteOptions{.path = folder_.store(), .vfs = {}});
    }

private:
    StoreFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract,
                         testing::Values(Kind{"memory", [] { return std::make_unique<MemoryBacking>(); }},
                                         Kind{"sqlite", [] { return std::make_unique<SqliteBacking>(); }}),
                         [](const testing::TestParamInfo<Kind>& kind) { return kind.param.name; });

}  // namespace
}  // namespace crnpd::store
