// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// One opened store file: what SqliteStore does between two calls of load(). Included by the sources of this
// folder only.
//
// What a failed COMMIT means. A commit in WAL mode appends frames to the WAL, the last of them marked as the
// end of a transaction, and syncs. If the sync fails, the frames may be in the file all the same, now or
// after a power failure, and the next recovery would take them for a commit. SQLite itself has rolled back:
// this connection continues in front of those frames, and nobody has seen them.
//
// What makes them harmless. The next transaction of this connection is written over them, from their first
// frame on (or into a WAL begun anew, with another salt). Each frame carries a checksum over all frames
// before it, so once any other transaction is durably in that place, no recovery can reach the rest of them.
// Such a transaction is either the same batch again (then it does not matter which copy a crash leaves) or a
// fence, which only counts `epoch` up: an UPDATE that changes nothing would not be written at all. Until one
// of them succeeded the outcome stays unknown. No reopening is needed for it, and none is wanted: recovery
// would read the frames from the kernel's memory and believe in them, durable or not (see wal_rewrite.h).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/record.h"
#include "common/result.h"
#include "server/store/sqlite.h"
#include "server/store/sqlite_store.h"
#include "server/store/store_rows.h"
#include "server/store/wal_rewrite.h"

namespace crnpd::store {

class SqliteSession {
public:
    // How far a transaction came.
    enum class Written {
        durably,
        not_,            // nothing of it reached the file as a commit
        notInFull,       // COMMIT ran out of space; see SqliteStore::commit()
        perhaps,         // COMMIT failed otherwise
        guardDidNotHold  // nothing was written: the head is not where this server left it
    };
    struct Attempt {
        Written written = Written::durably;
        std::optional<Error> error;  // unless durably
    };

    // Opens the file at `path`, which exists and whose header was inspected.
    static Result<std::unique_ptr<SqliteSession>> open(const std::string& path, const SqliteOptions& options);

    // Everything in the file, made durable and fenced, so that what is not in it never will be. To be called
    // first.
    [[nodiscard]] Result<Snapshot> load();

    [[nodiscard]] Attempt write(BatchId batch, std::span<const Change> changes, const EventChanges& events);
    [[nodiscard]] Attempt fence(BatchId head);

private:
    SqliteSession(sqlite::Connection connection, WalFingerprint wal)
        : connection_(std::move(connection)), walBefore_(wal) {}

    [[nodiscard]] Result<void> configure(const SqliteOptions& options);
    [[nodiscard]] Result<void> checkFormat(const std::string& path);
    [[nodiscard]] Result<Snapshot> readInTransaction();
    [[nodiscard]] Result<void> prepare();
    // What needs the tables of this version.
    [[nodiscard]] Result<void> prepareWriting();
    template <typename Body>
    [[nodiscard]] Attempt transact(const std::string& doing, Body&& body);
    [[nodiscard]] Attempt commit(const std::string& doing);
    // One row of head, or the guard did not hold.
    [[nodiscard]] Attempt moveHead(sqlite::Statement& statement, const std::string& doing);
    void keepWalOnClose(bool keep) noexcept;
    void rollback() noexcept;

    sqlite::Connection connection_;
    WalFingerprint walBefore_;
    sqlite::Statement begin_;
    sqlite::Statement commit_;
    sqlite::Statement rollback_;
    sqlite::Statement advance_;
    sqlite::Statement fence_;
    std::optional<RowWriter> rows_;
};

}  // namespace crnpd::store
