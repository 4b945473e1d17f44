// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The promise of the embedded store on a disk that fails and a machine that loses power.
//
// Each story is told again for a failure of the 1st, 2nd, 3rd … changing operation, until a run meets none.
// Every answer of the store is then held against what the files show after a power failure at once, after the
// death of the process followed by a power failure, and after the run went on to its end:
//
//     committed      it is there, and stays
//     notCommitted   it is not there, and never will be, although its number was given to another batch
//     unknown        it is there or not, and once it was seen one way it stays that way
#include <chrono>
#include <memory>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "server/store/sqlite_store.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/store_folder.h"

namespace crnpd::store {
namespace {

using Fault = FaultyVfs::Fault;
using Changes = std::vector<Change>;

// What happens after the failure was answered.
enum class Ending {
    powerFailure,
    processDies,         // before it could ask for the outcome; the power fails later
    processDiesWatched,  // the same, while an administrator has the file open
    goesOn
};

struct Story {
    std::string name;
    Fault fault;
    unsigned times;
    unsigned checkpointPages;
};

void PrintTo(const Story& story, std::ostream* out) {
    *out << story.name;
}

std::string nameOf(Ending ending) {
    switch (ending) {
        case Ending::powerFailure:
            return "PowerFails";
        case Ending::processDies:
            return "ProcessDies";
        case Ending::processDiesWatched:
            return "ProcessDiesWatched";
        case Ending::goesOn:
            return "GoesOn";
    }
    return "?";
}

void PrintTo(Ending ending, std::ostream* out) {
    *out << nameOf(ending);
}

std::vector<Changes> batches() {
    Changes many;
    for (RecordId id = 10; id < 50; ++id)
        many.emplace_back(client(id, 3));
    return {
        {client(1), client(2), client(3)},
        {largeClient(4, 30'000)},
        {removal(2), client(3, 9)},
        many,
        {forgotten(2), client(50)},
        {largeClient(4, 6'000), largeClient(51, 9'000)},
        {client(52)},
        {client(52, 2), removal(11), removal(12)},
    };
}

// Made once: making one really syncs, and there are thousands of lives.
const std::string& emptyStore() {
    static const std::string content = [] {
        const StoreFolder folder;
        EXPECT_TRUE(SqliteStore({.path = folder.store(), .vfs = {}}).load());
        return contentOf(folder.store());
    }();
    return content;
}

// One life of a store, and what it may hold by all it answered.
class Life {
public:
    Life(const Story& story, unsigned survivors) : story_(story), survivors_(survivors) {
        writeContent(folder_.store(), emptyStore());
    }

    FaultyVfs& disk() { return disk_; }

    // Whether every batch went through without meeting a failure.
    bool run(unsigned n, Ending ending) {
        ending_ = ending;
        disk_.fail(n, story_.fault, story_.times);
        open();
        reload();
        if (ending == Ending::processDiesWatched && !disk_.isOff()) watch();
        for (const auto& changes : batches()) {
            if (hasFailed() && ending != Ending::goesOn) break;
            commit(changes);
            if (disk_.isOff()) break;
        }
        const bool met = hasFailed();
        if (met && dies() && !disk_.isOff()) dieAndReopen();
        losePower(survivors_);
        reload();
        // Nothing of what was settled comes back later, also not when the number is used by another batch.
        commit({client(900)});
        losePower(FaultyVfs::everythingSurvives);
        reload();
        losePower(FaultyVfs::nothingSurvives);
        reload();
        return !met;
    }

private:
    void open() { store_ = std::make_unique<SqliteStore>(options()); }
    SqliteOptions options() const {
        return {.path = folder_.store(), .checkpointPages = story_.checkpointPages, .vfs = disk_.name()};
    }

    // A load may fail while the disk does; after it was mended it must not.
    void reload() {
        auto snapshot = store_->load();
        if (!snapshot && disk_.isOff()) return;
        if (!snapshot && disk_.hasFailed()) {
            EXPECT_NE(snapshot.error().code, ErrorCode::damaged) << snapshot.error().text;
            EXPECT_NE(snapshot.error().code, ErrorCode::foreign) << snapshot.error().text;
            mend();
            snapshot = store_->load();
        }
        ASSERT_TRUE(snapshot) << snapshot.error().text;
        if (perhaps_ && *snapshot == *perhaps_) certain_ = *perhaps_;
        perhaps_.reset();
        ASSERT_EQ(snapshot->head, certain_.head);
        ASSERT_EQ(*snapshot, certain_);
    }

    [[nodiscard]] bool hasFailed() const { return mended_ || disk_.hasFailed(); }

    void mend() {
        if (story_.times == 1) return;
        disk_.heal();
        mended_ = true;
    }

    void commit(const Changes& changes) {
        const BatchId batch = certain_.head + 1;
        Snapshot next = certain_;
        apply(next, batch, changes);
        auto outcome = store_->commit(batch, changes);
        // Nobody can have heard a refusal once the power was off.
        if (disk_.isOff() && outcome.state != CommitState::committed) {
            perhaps_ = next;
            return;
        }
        if (outcome.state == CommitState::unknown && dies()) {
            perhaps_ = next;
            return;
        }
        if (outcome.state == CommitState::unknown)
            outcome = store_->outcomeOf(batch, std::chrono::milliseconds(1));
        if (outcome.state == CommitState::committed) {
            certain_ = next;
        } else if (outcome.state == CommitState::unknown) {
            perhaps_ = next;
            EXPECT_EQ(store_->commit(batch, changes).state, CommitState::notCommitted);
            mend();
            if (!disk_.isOff()) reload();
        } else {
            EXPECT_FALSE(outcome.reason.text.empty());
            if (story_.fault == Fault::noSpace || story_.fault == Fault::diskFull) {
                EXPECT_EQ(outcome.reason.code, ErrorCode::noSpace) << outcome.reason.text;
            }
        }
    }

    void losePower(unsigned survivors) {
        disk_.powerOff();
        store_.reset();
        watcher_.reset();
        disk_.powerOn(survivors);
        open();
    }

    // The next process finds what the kernel still has, and then the kernel forgets what it can.
    void dieAndReopen() {
        disk_.powerOff();
        store_.reset();
        disk_.processDied(watcher_ == nullptr);
        if (survivors_ % 2 == 0 && watcher_ == nullptr) disk_.dropCleanPages();
        open();
        reload();
    }

    [[nodiscard]] bool dies() const {
        return ending_ == Ending::processDies || ending_ == Ending::processDiesWatched;
    }

    // An administrator's sqlite3 that has read once and stays there.
    void watch() {
        sqlite3* db = nullptr;
        ASSERT_EQ(sqlite3_open_v2(folder_.store().c_str(), &db, SQLITE_OPEN_READWRITE, disk_.name().c_str()),
                  SQLITE_OK);
        watcher_.reset(db);
        ASSERT_EQ(sqlite3_exec(db, "SELECT count(*) FROM clients", nullptr, nullptr, nullptr), SQLITE_OK);
    }

    struct Close {
        void operator()(sqlite3* db) const noexcept { sqlite3_close(db); }
    };

    const Story& story_;
    unsigned survivors_;
    StoreFolder folder_;
    FaultyVfs disk_;
    Snapshot certain_;
    std::optional<Snapshot> perhaps_;
    bool mended_ = false;
    Ending ending_ = Ending::goesOn;
    std::unique_ptr<sqlite3, Close> watcher_;
    std::unique_ptr<SqliteStore> store_;
};

class SqliteStoreOnABadDisk : public testing::TestWithParam<std::tuple<Story, Ending>> {};

TEST_P(SqliteStoreOnABadDisk, AnswersOnlyWhatTheFilesWillShow) {
    constexpr unsigned tooMany = 500;
    const auto& [story, ending] = GetParam();
    for (const unsigned survivors : {FaultyVfs::nothingSurvives, FaultyVfs::everythingSurvives, 2U}) {
        unsigned n = 1;
        for (bool clean = false; !clean; ++n) {
            SCOPED_TRACE(testing::Message() << "failure at operation " << n << ", survivors " << survivors);
            clean = Life(story, survivors).run(n, ending);
            ASSERT_FALSE(HasFatalFailure() || HasNonfatalFailure());
            ASSERT_LT(n, tooMany);
        }
        EXPECT_GT(n, 20U);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Disks, SqliteStoreOnABadDisk,
    testing::Combine(testing::Values(Story{"IoErrorOnce", Fault::ioError, 1, 1000},
                                     Story{"IoErrorOnceWithCheckpoints", Fault::ioError, 1, 4},
                                     Story{"IoErrorTwice", Fault::ioError, 2, 1000},
                                     Story{"IoErrorFromThenOn", Fault::ioError, FaultyVfs::untilHealed, 1000},
                                     Story{"ShortWriteOnce", Fault::shortWrite, 1, 1000},
                                     Story{"ShortWriteWithCheckpoints", Fault::shortWrite, 1, 4},
                                     Story{"NoSpaceOnce", Fault::noSpace, 1, 1000},
                                     Story{"DiskFullFromThenOn", Fault::diskFull, FaultyVfs::untilHealed,
                                           1000},
                                     Story{"DiskFullFromThenOnWithCheckpoints", Fault::diskFull,
                                           FaultyVfs::untilHealed, 4},
                                     Story{"PowerFailure", Fault::powerFailure, 1, 1000},
                                     Story{"PowerFailureWithCheckpoints", Fault::powerFailure, 1, 4}),
                     testing::Values(Ending::powerFailure, Ending::processDies, Ending::processDiesWatched,
                                     Ending::goesOn)),
    [](const auto& story) {
        return std::get<0>(story.param).name + "Then" + nameOf(std::get<1>(story.param));
    });

}  // namespace
}  // namespace crnpd::store
