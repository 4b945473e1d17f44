// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The embedded store beside other programs: who may look, who may not write, and what it answers meanwhile.
#include "server/store/sqlite_store.h"

#include <filesystem>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "tests/support/faulty_vfs.h"
#include "tests/support/store_folder.h"

namespace crnpd::store {
namespace {

using testing::HasSubstr;
using Changes = std::vector<Change>;
using std::chrono::milliseconds;

class SqliteStoreTest : public testing::Test {
protected:
    StoreFolder folder;
    FaultyVfs disk;
    SqliteStore store{{.path = folder.store(), .vfs = disk.name()}};
    // An administrator's sqlite3.
    std::unique_ptr<sqlite3, int (*)(sqlite3*)> other{nullptr, &sqlite3_close};

    void SetUp() override {
        ASSERT_TRUE(store.load());
        ASSERT_EQ(store.commit(1, Changes{client(1)}).state, CommitState::committed);
        sqlite3* db = nullptr;
        ASSERT_EQ(sqlite3_open_v2(folder.store().c_str(), &db, SQLITE_OPEN_READWRITE, disk.name().c_str()),
                  SQLITE_OK);
        other.reset(db);
    }

    void sql(const char* text) {
        char* error = nullptr;
        ASSERT_EQ(sqlite3_exec(other.get(), text, nullptr, nullptr, &error), SQLITE_OK) << error;
    }

    std::string ask(const char* query) {
        sqlite3_stmt* statement = nullptr;
        EXPECT_EQ(sqlite3_prepare_v2(other.get(), query, -1, &statement, nullptr), SQLITE_OK);
        const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> owner(statement, &sqlite3_finalize);
        if (sqlite3_step(statement) != SQLITE_ROW) return "none";
        return reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    }
};

TEST_F(SqliteStoreTest, TakesNoCommitBeforeItWasLoaded) {
    SqliteStore unloaded({.path = folder.store(), .vfs = disk.name()});
    const auto outcome = unloaded.commit(2, Changes{client(2)});
    EXPECT_EQ(outcome.state, CommitState::notCommitted);
    EXPECT_THAT(outcome.reason.text, HasSubstr("not loaded"));
}

TEST_F(SqliteStoreTest, CanBeReadWhileItIsOpen) {
    EXPECT_EQ(ask("SELECT group_concat(ip || ':' || port) FROM clients"), "192.0.2.2:1025");
    EXPECT_EQ(store.commit(2, Changes{removal(1)}).state, CommitState::committed);
    EXPECT_EQ(ask("SELECT removed_at FROM clients WHERE id=1"), "1700000000123");
    EXPECT_THAT(ask("SELECT text FROM format WHERE line=1"), HasSubstr("version 2"));
}

TEST_F(SqliteStoreTest, IsUpgradedAsAWholeWhicheverOperationFails) {
    bool hasFailed = true;
    for (unsigned n = 1; hasFailed; ++n) {
        SqliteStore upgrading({.path = folder.store(), .vfs = disk.name()});
        sql(backToVersion1);
        disk.fail(n, FaultyVfs::Fault::shortWrite);
        const bool isLoaded = upgrading.load().has_value();
        hasFailed = disk.hasFailed();
        disk.heal();
        EXPECT_TRUE(isLoaded || hasFailed);
        const auto snapshot = upgrading.load();
        ASSERT_TRUE(snapshot) << n << ": " << snapshot.error().text;
        EXPECT_EQ(snapshot->clients, std::vector{client(1)}) << n;
        EXPECT_EQ(ask("PRAGMA user_version"), "2");
    }
}

TEST_F(SqliteStoreTest, CanBeBackedUpWhileItIsOpen) {
    const auto copy = folder / "copy.db";
    sql(("VACUUM INTO '" + copy + "'").c_str());
    const auto snapshot = SqliteStore({.path = copy, .vfs = {}}).load();
    ASSERT_TRUE(snapshot) << snapshot.error().text;
    EXPECT_EQ(snapshot->clients, std::vector{client(1)});
}

TEST_F(SqliteStoreTest, CommitsWhileAReaderStays) {
    sql("BEGIN");
    EXPECT_EQ(ask("SELECT count(*) FROM clients"), "1");
    EXPECT_EQ(store.commit(2, Changes{client(2)}).state, CommitState::committed);
    EXPECT_EQ(ask("SELECT count(*) FROM clients"), "1");
    EXPECT_EQ(store.load()->clients.size(), 2U);
}

TEST_F(SqliteStoreTest, IsBusyWhileAnotherWrites) {
    sql("BEGIN IMMEDIATE");
    const auto outcome = store.commit(2, Changes{client(2)});
    EXPECT_EQ(outcome.state, CommitState::notCommitted);
    EXPECT_EQ(outcome.reason.code, ErrorCode::busy);
    sql("ROLLBACK");
    EXPECT_EQ(store.commit(2, Changes{client(3)}).state, CommitState::committed);
}

TEST_F(SqliteStoreTest, RefusesToGoOnWhenAnotherServerCommitted) {
    sql("UPDATE head SET batch = 2");
    const auto outcome = store.commit(2, Changes{client(2)});
    EXPECT_EQ(outcome.state, CommitState::notCommitted);
    EXPECT_EQ(outcome.reason.code, ErrorCode::foreign);
    EXPECT_EQ(ask("SELECT count(*) FROM clients"), "1");
    EXPECT_EQ(store.commit(3, Changes{client(2)}).state, CommitState::notCommitted);
    EXPECT_EQ(store.load()->head, 2U);
    EXPECT_EQ(store.commit(3, Changes{client(2)}).state, CommitState::committed);
}

TEST_F(SqliteStoreTest, AnswersNoSpaceWhenTheDiskIsFullAndGoesOnWhenItIsNot) {
    disk.fail(1, FaultyVfs::Fault::diskFull, FaultyVfs::untilHealed);
    for (int i = 0; i < 3; ++i) {
        const auto outcome = store.commit(2, Changes{largeClient(2, 100'000)});
        EXPECT_EQ(outcome.state, CommitState::notCommitted);
        EXPECT_EQ(outcome.reason.code, ErrorCode::noSpace);
    }
    disk.heal();
    EXPECT_EQ(store.commit(2, Changes{client(3)}).state, CommitState::committed);
    EXPECT_EQ(store.load()->clients, (std::vector{client(1), client(3)}));
}

TEST_F(SqliteStoreTest, CommitsTheBatchAgainWhenItsSyncFailed) {
    // A commit of one small row writes three pages, each in two writes, and syncs.
    for (unsigned n = 1;; ++n) {
        ASSERT_LT(n, 30U);
        disk.fail(n, FaultyVfs::Fault::ioError);
        const auto outcome = store.commit(2, Changes{client(2)});
        if (outcome.state != CommitState::unknown) continue;
        EXPECT_EQ(store.outcomeOf(2, milliseconds(0)).state, CommitState::committed);
        break;
    }
    EXPECT_EQ(store.load()->clients, (std::vector{client(1), client(2)}));
}

TEST_F(SqliteStoreTest, StaysUnknownWhileTheDiskIsBrokenAndNeedsALoad) {
    disk.fail(1, FaultyVfs::Fault::ioError, FaultyVfs::untilHealed);
    ASSERT_EQ(store.commit(2, Changes{client(2)}).state, CommitState::unknown);
    EXPECT_EQ(store.outcomeOf(2, milliseconds(5)).state, CommitState::unknown);
    disk.heal();
    const auto outcome = store.commit(2, Changes{client(2)});
    EXPECT_EQ(outcome.state, CommitState::notCommitted);
    EXPECT_THAT(outcome.reason.text, HasSubstr("loaded again"));
    ASSERT_TRUE(store.load());
    EXPECT_EQ(store.commit(2, Changes{client(2)}).state, CommitState::committed);
}

TEST_F(SqliteStoreTest, DoesNotGuessAboutABatchThatWasNotUnknown) {
    EXPECT_EQ(store.outcomeOf(1, milliseconds(0)).state, CommitState::unknown);
    EXPECT_EQ(store.commit(2, Changes{client(2)}).state, CommitState::committed);
}

TEST_F(SqliteStoreTest, KeepsItsWalAsSmallAsItsCheckpointsSay) {
    SqliteStore small({.path = folder.store(), .checkpointPages = 1000, .vfs = {}});
    ASSERT_TRUE(small.load());
    std::uintmax_t largest = 0;
    for (BatchId batch = 2; batch < 200; ++batch) {
        ASSERT_EQ(small.commit(batch, Changes{largeClient(2, 100'000)}).state, CommitState::committed);
        largest = std::max(largest, std::filesystem::file_size(folder.store() + "-wal"));
    }
    EXPECT_LT(largest, 6'000'000U);
}

// 16,000 pages of 4 kB, and the commit that comes over it.
TEST_F(SqliteStoreTest, KeepsItsWalBelowSixtyEightMegabytesUnlessToldOtherwise) {
    SqliteStore usual({.path = folder.store(), .vfs = {}});
    ASSERT_TRUE(usual.load());
    std::uintmax_t largest = 0;
    for (BatchId batch = 2; batch < 1'000; ++batch) {
        ASSERT_EQ(usual.commit(batch, Changes{largeClient(2, 100'000)}).state, CommitState::committed);
        largest = std::max(largest, std::filesystem::file_size(folder.store() + "-wal"));
    }
    EXPECT_LT(largest, 68'000'000U);
    EXPECT_GT(largest, 65'000'000U) << "else nothing was written that could have become too large";
}

TEST_F(SqliteStoreTest, ACheckpointThatFailsIsNoFailedCommit) {
    SqliteStore small({.path = folder.store(), .checkpointPages = 20, .vfs = disk.name()});
    ASSERT_TRUE(small.load());
    disk.heal();
    ASSERT_EQ(small.commit(2, Changes{client(1, 2)}).state, CommitState::committed);
    const unsigned operationsOfACommit = disk.operations();
    for (BatchId batch = 3; batch < 40; ++batch) {
        disk.fail(operationsOfACommit + 1, FaultyVfs::Fault::ioError, FaultyVfs::untilHealed);
        const auto outcome = small.commit(batch, Changes{client(1, 1 + batch % 2)});
        ASSERT_EQ(outcome.state, CommitState::committed) << batch << ": " << outcome.reason.text;
    }
    EXPECT_TRUE(disk.hasFailed());
    disk.heal();
    EXPECT_EQ(small.load()->head, 39U);
}

}  // namespace
}  // namespace crnpd::store
