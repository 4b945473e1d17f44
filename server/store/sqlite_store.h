// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The embedded store: one SQLite file (docs/store-format.md).
//
// Promise    As in registration_store.h: a committed batch outlives this process and this machine, because
//            COMMIT returns after the WAL was synced (synchronous=FULL). load() and outcomeOf() answer only
//            what no later power failure can take back, also after a failed fsync.
// Threads    As in registration_store.h. Other processes may read and back up the file meanwhile. That only
//            one server writes it is the business of FileLock: campaign first, then load().
// Errors     commit() is notCommitted with noSpace when the disk is full and with busy when another program
//            holds the file's write lock; foreign when another program wrote to it, then no commit is
//            taken until load().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/store/registration_store.h"

namespace crnpd::store {

struct SqliteOptions {
    std::string path;
    // Pages in the WAL after which a commit moves them into the file. Nobody is answered in the meantime, so
    // it is to be rare; but a start after a crash reads all of them.
    unsigned checkpointPages = 16000;
    // The name of a registered SQLite VFS; empty is SQLite's own. For tests that let the disk fail.
    std::string vfs;
};

class SqliteSession;

class SqliteStore final : public RegistrationStore {
public:
    explicit SqliteStore(SqliteOptions options);
    ~SqliteStore() override;

    // Creates an empty store where there is no file or an empty one; its folder must exist.
    [[nodiscard]] Result<Snapshot> load() noexcept override;
    [[nodiscard]] std::size_t batchLimit() const noexcept override { return 512; }
    [[nodiscard]] CommitOutcome carryOut(BatchId batch, std::span<const Change> changes,
                                         const EventChanges& events) noexcept override;
    [[nodiscard]] CommitOutcome outcomeOf(BatchId batch, std::chrono::milliseconds limit) noexcept override;

private:
    // A batch that may or may not be in the file.
    struct Unresolved {
        BatchId batch;
        Error reason;
        // Whether what follows is the batch: there may have been no memory left to keep it.
        bool isKept = false;
        std::vector<Change> changes{};
        EventChanges events{};
    };

    [[nodiscard]] Result<Snapshot> openAndLoad();
    [[nodiscard]] CommitOutcome commitToSession(BatchId batch, std::span<const Change> changes,
                                                const EventChanges& events);
    [[nodiscard]] CommitOutcome ranOutOfSpace(BatchId batch, Error error);
    // To be fenced off.
    [[nodiscard]] CommitOutcome leaveUnresolved(BatchId batch, Error error) noexcept;
    // To be repeated, or fenced off where that is not possible.
    [[nodiscard]] CommitOutcome leaveUnresolved(BatchId batch, std::span<const Change> changes,
                                                const EventChanges& events, Error error) noexcept;
    // One attempt to make the unresolved batch certain, either way; nothing if it failed.
    [[nodiscard]] std::optional<CommitOutcome> settle();
    void refuse(std::string why) noexcept;

    SqliteOptions options_;
    std::unique_ptr<SqliteSession> session_;
    BatchId head_ = 0;
    std::optional<Unresolved> unresolved_;
    // Why no commit is taken; empty when one is.
    std::string refusal_ = "the store was not loaded";
};

}  // namespace crnpd::store
