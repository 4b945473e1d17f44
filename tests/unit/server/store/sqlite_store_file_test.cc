// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What the embedded store does with the file it finds: takes it, makes it, or refuses it and leaves it alone.
#include <filesystem>
#include <map>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "server/store/sqlite_store.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/store_folder.h"

namespace crnpd::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Changes = std::vector<Change>;

class SqliteStoreFile : public testing::Test {
protected:
    StoreFolder folder;

    Result<Snapshot> load() { return SqliteStore({.path = folder.store(), .vfs = {}}).load(); }

    // With `batches` batches in it, closed again.
    void makeStore(unsigned batches = 1) {
        SqliteStore store({.path = folder.store(), .vfs = {}});
        ASSERT_TRUE(store.load());
        for (BatchId batch = 1; batch <= batches; ++batch) {
            ASSERT_EQ(store.commit(batch, Changes{client(batch), largeClient(100 + batch, 3000)}).state,
                      CommitState::committed);
        }
    }

    // As a crash leaves it: commits are still in the WAL.
    void makeCrashedStore() {
        SqliteStore store({.path = folder.store(), .vfs = {}});
        ASSERT_TRUE(store.load());
        ASSERT_EQ(store.commit(1, Changes{client(1)}).state, CommitState::committed);
        const auto file = contentOf(folder.store());
        const auto wal = contentOf(folder.store() + "-wal");
        ASSERT_FALSE(wal.empty());
        writeContent(folder / "kept", file);
        writeContent(folder / "kept-wal", wal);
    }
    void bringBackCrashedStore() {
        std::filesystem::rename(folder / "kept", folder.store());
        std::filesystem::rename(folder / "kept-wal", folder.store() + "-wal");
    }

    void sql(const std::string& text) {
        sqlite3* db = nullptr;
        ASSERT_EQ(sqlite3_open(folder.store().c_str(), &db), SQLITE_OK);
        char* error = nullptr;
        EXPECT_EQ(sqlite3_exec(db, text.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
        sqlite3_close(db);
    }

    // What the first column of the first row says, read while no store has the file open.
    std::string textOf(const std::string& query) {
        std::string text;
        sqlite3* db = nullptr;
        sqlite3_stmt* statement = nullptr;
        EXPECT_EQ(sqlite3_open(folder.store().c_str(), &db), SQLITE_OK);
        EXPECT_EQ(sqlite3_prepare_v2(db, query.c_str(), -1, &statement, nullptr), SQLITE_OK);
        if (sqlite3_step(statement) == SQLITE_ROW)
            text.assign(static_cast<const char*>(sqlite3_column_blob(statement, 0)),
                        static_cast<std::size_t>(sqlite3_column_bytes(statement, 0)));
        sqlite3_finalize(statement);
        sqlite3_close(db);
        return text;
    }

    static ClientRecord clientOn(const char* address, RecordId id) {
        auto record = client(id);
        record.client = {*IpAddress::parse(address), 2001};
        return record;
    }
    void write(const ClientRecord& record) {
        SqliteStore store({.path = folder.store(), .vfs = {}});
        const auto snapshot = store.load();
        ASSERT_TRUE(snapshot);
        ASSERT_EQ(store.commit(snapshot->head + 1, Changes{record}).state, CommitState::committed);
    }

    std::map<std::string, std::string> everything() {
        std::map<std::string, std::string> contents;
        for (const auto& name : folder.files())
            contents[name] = contentOf(folder / name);
        return contents;
    }

    // Refused with this code and a text that holds `why`, and nothing in the folder changed.
    void expectRefusal(ErrorCode code, const std::string& why) {
        const auto before = everything();
        for (int i = 0; i < 2; ++i) {
            const auto snapshot = load();
            ASSERT_FALSE(snapshot);
            EXPECT_EQ(snapshot.error().code, code) << snapshot.error().text;
            EXPECT_THAT(snapshot.error().text, HasSubstr(why));
        }
        EXPECT_EQ(everything(), before);
    }
};

TEST_F(SqliteStoreFile, IsMadeWhereThereIsNone) {
    ASSERT_TRUE(load());
    EXPECT_THAT(folder.files(), ElementsAre("registrations.db"));
    struct stat status {};
    ASSERT_EQ(::stat(folder.store().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U & ~0640U, 0U);
}

TEST_F(SqliteStoreFile, IsMadeInPlaceOfAnEmptyOne) {
    writeContent(folder.store(), "");
    const auto snapshot = load();
    ASSERT_TRUE(snapshot) << snapshot.error().text;
    EXPECT_EQ(*snapshot, Snapshot{});
}

TEST_F(SqliteStoreFile, SaysWhichFolderIsMissing) {
    const auto snapshot = SqliteStore({.path = folder / "no/such/store", .vfs = {}}).load();
    ASSERT_FALSE(snapshot);
    EXPECT_EQ(snapshot.error().code, ErrorCode::notFound);
    EXPECT_THAT(snapshot.error().text, HasSubstr("no/such/store"));
}

TEST_F(SqliteStoreFile, TellsAPersonWhatItIs) {
    makeStore();
    const auto content = contentOf(folder.store());
    EXPECT_THAT(content, HasSubstr("Registrations of crnpd"));
    EXPECT_EQ(content.substr(68, 4), "CRNP");
}

TEST_F(SqliteStoreFile, IsOneUnderTwoNames) {
    makeStore();
    std::filesystem::create_symlink(folder.store(), folder / "link");
    const auto snapshot = SqliteStore({.path = folder / "link", .vfs = {}}).load();
    ASSERT_TRUE(snapshot);
    EXPECT_EQ(snapshot->head, 1U);
}

TEST_F(SqliteStoreFile, OfAnotherKindIsLeftAlone) {
    writeContent(folder.store(), std::string(5000, 'x'));
    expectRefusal(ErrorCode::foreign, "not an SQLite database");
}

TEST_F(SqliteStoreFile, TooShortToBeADatabaseIsLeftAlone) {
    writeContent(folder.store(), "SQLite format 3");
    expectRefusal(ErrorCode::foreign, "not an SQLite database");
}

TEST_F(SqliteStoreFile, OfAnotherProgramIsLeftAlone) {
    sql("CREATE TABLE t(x); PRAGMA application_id=77");
    expectRefusal(ErrorCode::foreign, "another program");
}

TEST_F(SqliteStoreFile, OfTheFirstVersionIsUpgraded) {
    makeStore();
    const auto before = load();
    sql(backToVersion1);
    const auto snapshot = load();
    ASSERT_TRUE(snapshot) << snapshot.error().text;
    EXPECT_EQ(*snapshot, *before);
    EXPECT_EQ(contentOf(folder.store())[63], 2);
}

TEST_F(SqliteStoreFile, OfTheFirstVersionThatIsDamagedIsNotUpgraded) {
    makeStore();
    sql(backToVersion1);
    sql("UPDATE clients SET port = 0");
    expectRefusal(ErrorCode::damaged, "port");
}

TEST_F(SqliteStoreFile, OfANewerVersionIsLeftAlone) {
    makeStore();
    sql("PRAGMA user_version=3");
    expectRefusal(ErrorCode::foreign, "newer crnpd");
}

TEST_F(SqliteStoreFile, OfANewerVersionThatIsStillInTheWalIsLeftAlone) {
    makeStore();
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(folder.store().c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, "PRAGMA user_version=3", nullptr, nullptr, nullptr), SQLITE_OK);
    const auto file = contentOf(folder.store());
    const auto wal = contentOf(folder.store() + "-wal");
    sqlite3_close(db);
    writeContent(folder.store(), file);
    writeContent(folder.store() + "-wal", wal);
    EXPECT_EQ(file[63], 2);

    const auto snapshot = load();
    ASSERT_FALSE(snapshot);
    EXPECT_EQ(snapshot.error().code, ErrorCode::foreign);
    EXPECT_EQ(contentOf(folder.store()), file);
    EXPECT_EQ(contentOf(folder.store() + "-wal"), wal);
}

TEST_F(SqliteStoreFile, GoneFromBesideItsWalIsNotMadeAnew) {
    makeCrashedStore();
    bringBackCrashedStore();
    std::filesystem::remove(folder.store());
    expectRefusal(ErrorCode::damaged, "holds commits");
}

TEST_F(SqliteStoreFile, WithCommitsInItsWalIsRecovered) {
    makeCrashedStore();
    bringBackCrashedStore();
    const auto snapshot = load();
    ASSERT_TRUE(snapshot) << snapshot.error().text;
    EXPECT_EQ(snapshot->clients, std::vector{client(1)});
}

TEST_F(SqliteStoreFile, WithATornWalHoldsWhatWasCommittedBeforeTheTear) {
    makeCrashedStore();
    const auto wal = contentOf(folder / "kept-wal");
    const auto file = contentOf(folder / "kept");
    BatchId before = 0;
    for (std::size_t length = 0; length <= wal.size(); length += 509) {
        writeContent(folder.store(), file);
        writeContent(folder.store() + "-wal", std::string_view(wal).substr(0, length));
        const auto snapshot = load();
        ASSERT_TRUE(snapshot) << length << ": " << snapshot.error().text;
        EXPECT_EQ(snapshot->clients.size(), snapshot->head);
        EXPECT_GE(snapshot->head, before);
        before = snapshot->head;
    }
}

TEST_F(SqliteStoreFile, WithARowThatNobodyWroteIsRefusedByItsId) {
    makeStore(3);
    sql("UPDATE clients SET registrations='1:nonsense' WHERE id=2");
    expectRefusal(ErrorCode::damaged, "row id 2");
}

TEST_F(SqliteStoreFile, WithAnAddressThatIsNoneIsRefused) {
    makeStore();
    sql("UPDATE clients SET ip='www.example.net'");
    expectRefusal(ErrorCode::damaged, "ip is no IP address");
}

TEST_F(SqliteStoreFile, WithAPortThatIsNoneIsRefused) {
    makeStore();
    sql("UPDATE clients SET port=65536");
    expectRefusal(ErrorCode::damaged, "port is no port");
}

TEST_F(SqliteStoreFile, WithoutItsHeadIsRefused) {
    makeStore();
    sql("DELETE FROM head");
    expectRefusal(ErrorCode::damaged, "head");
}

TEST_F(SqliteStoreFile, WithoutItsTableIsRefused) {
    makeStore();
    sql("DROP TABLE clients");
    expectRefusal(ErrorCode::damaged, "clients");
}

// Every page overwritten in turn: refused, or the damage hit nothing that holds a record.
TEST_F(SqliteStoreFile, WithAnOverwrittenPageIsRefusedOrWhole) {
    makeStore(30);
    const auto whole = contentOf(folder.store());
    const auto expected = load();
    ASSERT_TRUE(expected);
    unsigned refused = 0;
    for (std::size_t page = 1; page * 4096 < whole.size(); ++page) {
        auto damaged = contentOf(folder.store());
        damaged = whole;
        damaged.replace(page * 4096, 4096, 4096, '\xee');
        writeContent(folder.store(), damaged);
        const auto snapshot = load();
        if (!snapshot) {
            EXPECT_EQ(snapshot.error().code, ErrorCode::damaged) << snapshot.error().text;
            EXPECT_EQ(contentOf(folder.store()), damaged) << "page " << page;
            ++refused;
        } else {
            EXPECT_EQ(*snapshot, *expected) << "page " << page;
        }
    }
    EXPECT_GT(refused, 10U);
}

TEST_F(SqliteStoreFile, KeepsAClientWhoseInterfaceIsGone) {
    makeStore(2);
    sql("UPDATE clients SET ip='fe80::1%gone0' WHERE id IN (1, 2)");
    const auto snapshot = load();
    ASSERT_TRUE(snapshot) << snapshot.error().text;
    EXPECT_TRUE(snapshot->clients[0].client.ip.isLinkLocal());
    EXPECT_NE(snapshot->clients[0].client.ip, snapshot->clients[1].client.ip);
}

TEST_F(SqliteStoreFile, NamesTheInterfaceBecauseItsNumberMayChange) {
    makeStore();
    auto client = clientOn("fe80::1%lo", 2);
    client.via = *IpAddress::parse("fe80::2%lo");
    write(client);
    EXPECT_EQ(textOf("SELECT ip || ' ' || via FROM clients WHERE id = 2"), "fe80::1%lo fe80::2%lo");
    EXPECT_EQ(load()->clients.at(1), client);
}

TEST_F(SqliteStoreFile, ReadsTheNumberThatAnInterfaceWasStoredWith) {
    makeStore();
    write(clientOn("fe80::1%lo", 2));
    const auto number = std::to_string(::if_nametoindex("lo"));
    sql("UPDATE clients SET ip='fe80::1%" + number + "', via='fe80::2%" + number + "' WHERE id = 2");
    const auto snapshot = load();
    EXPECT_EQ(snapshot->clients.at(1).client.ip, *IpAddress::parse("fe80::1%lo"));
    EXPECT_EQ(snapshot->clients.at(1).via, *IpAddress::parse("fe80::2%lo"));
}

TEST_F(SqliteStoreFile, KeepsTheNumberOfAnInterfaceThatHasNoName) {
    makeStore();
    write(clientOn("fe80::1%2147483647", 2));
    EXPECT_EQ(textOf("SELECT ip FROM clients WHERE id = 2"), "fe80::1%2147483647");
}

// The number went to another interface, whose client has registered since.
TEST_F(SqliteStoreFile, DoesNotTakeARowWithANumberForTheClientOfARowWithAName) {
    makeStore();
    write(clientOn("fe80::1%lo", 2));
    write(clientOn("fe80::1%2147483647", 3));
    sql("UPDATE clients SET ip='fe80::1%" + std::to_string(::if_nametoindex("lo")) + "' WHERE id = 3");
    const auto clients = load()->clients;
    EXPECT_EQ(clients.at(1).client.ip, *IpAddress::parse("fe80::1%lo"));
    EXPECT_NE(clients.at(2).client.ip, clients.at(1).client.ip);
}

TEST_F(SqliteStoreFile, ForgetsTheAddressThatAClientSpokeToWithItsInterface) {
    makeStore();
    sql("UPDATE clients SET via='fe80::2%gone0' WHERE id = 1");
    EXPECT_EQ(load()->clients.at(0).via, IpAddress());
}

// Making a store fails at its 1st, 2nd … operation: there is none then, and the next attempt makes one.
TEST_F(SqliteStoreFile, IsMadeWholeOrNotAtAll) {
    FaultyVfs disk;
    for (unsigned n = 1;; ++n) {
        ASSERT_LT(n, 200U);
        disk.fail(n, FaultyVfs::Fault::ioError);
        const bool made = SqliteStore({.path = folder.store(), .vfs = disk.name()}).load().has_value();
        const bool failed = disk.hasFailed();
        disk.heal();
        const auto snapshot = SqliteStore({.path = folder.store(), .vfs = disk.name()}).load();
        ASSERT_TRUE(snapshot) << "after operation " << n << ": " << snapshot.error().text;
        EXPECT_EQ(*snapshot, Snapshot{});
        if (!failed) {
            EXPECT_TRUE(made);
            EXPECT_GT(n, 5U);
            break;
        }
        for (const auto& name : folder.files())
            std::filesystem::remove(folder / name);
    }
}

}  // namespace
}  // namespace crnpd::store
