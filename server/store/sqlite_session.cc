// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/store/sqlite_session.h"

#include <cerrno>
#include <utility>

#include "common/crash_point.h"
#include "server/store/numbers.h"
#include "server/store/store_file.h"
#include "server/store/store_format.h"

namespace crnpd::store {
namespace {

using Written = SqliteSession::Written;

// SQLite tells a full disk from a used-up quota, but for us it is the same.
bool isOutOfSpace(const sqlite::Connection& connection, int code) {
    return (code & 0xff) == SQLITE_FULL ||
           (code == SQLITE_IOERR_WRITE && sqlite3_system_errno(connection.raw()) == EDQUOT);
}

Error writtenByOthers(const std::string& path, const std::string& doing) {
    return {ErrorCode::foreign,
            path + ": cannot " + doing +
                ": its head is not where this server left it, so another program wrote to "
                "the file. Nothing was written. Find that program, then restart the server."};
}

}  // namespace

Result<std::unique_ptr<SqliteSession>> SqliteSession::open(const std::string& path,
                                                           const SqliteOptions& options) {
    const auto wal = fingerprintWal(path);
    if (!wal) return wal.error();
    auto connection = sqlite::Connection::open(path, options.vfs, SQLITE_OPEN_READWRITE);
    if (!connection) return connection.error();
    std::unique_ptr<SqliteSession> session(new SqliteSession(std::move(*connection), *wal));
    // SQLite's default, but we depend on it: otherwise it fills commits up to a whole sector with bytes that
    // the commit's own sync does not cover, and the next sync, failing, would lose them under a commit that
    // was promised.
    int on = 1;
    sqlite3_file_control(session->connection_.raw(), "main", SQLITE_FCNTL_POWERSAFE_OVERWRITE, &on);
    // A file that is refused stays as it is: closing must not move its WAL into it.
    session->keepWalOnClose(wal->size > 0);
    if (auto checked = session->checkFormat(path); !checked) return checked.error();
    if (auto configured = session->configure(options); !configured) return configured.error();
    if (auto prepared = session->prepare(); !prepared) return prepared.error();
    return session;
}

// The header in the file may be older than the one in the WAL, so SQLite is asked, too, before anything is
// written.
Result<void> SqliteSession::checkFormat(const std::string& path) {
    sqlite3_busy_timeout(connection_.raw(), 200);  // ms; a program that holds the file longer gets us a RETRY
    const auto application = connection_.number("PRAGMA application_id");
    if (!application) return application.error();
    const auto version = connection_.number("PRAGMA user_version");
    if (!version) return version.error();
    return checkMarks(path, *application, *version);
}

// Locking mode stays NORMAL: an administrator may read and back up the file while the server runs. Our own
// exclusion is the lock beside the file (file_lock.h).
Result<void> SqliteSession::configure(const SqliteOptions& options) {
    const std::string pragmas =
        "PRAGMA journal_mode=WAL;"
        "PRAGMA synchronous=FULL;"
        "PRAGMA cell_size_check=ON;"
        "PRAGMA trusted_schema=OFF;"
        "PRAGMA cache_size=-32000;"  // kB: random updates among a million clients
        "PRAGMA journal_size_limit=83886080;"
        "PRAGMA wal_autocheckpoint=" +
        std::to_string(options.checkpointPages);
    if (const int code = connection_.run(pragmas.c_str()); code != SQLITE_OK) {
        return connection_.error(code, "set it up");
    }
    return {};
}

Result<void> SqliteSession::prepare() {
    const std::pair<sqlite::Statement*, const char*> all[] = {
        {&begin_, "BEGIN IMMEDIATE"},
        {&commit_, "COMMIT"},
        {&rollback_, "ROLLBACK"},
        {&fence_, "UPDATE head SET epoch = epoch + 1 WHERE batch = ?1"},
    };
    for (const auto& [statement, sql] : all) {
        auto prepared = connection_.prepare(sql);
        if (!prepared) return prepared.error();
        *statement = std::move(*prepared);
    }
    return {};
}

Result<void> SqliteSession::prepareWriting() {
    auto advance = connection_.prepare("UPDATE head SET batch = ?1, last = max(last, ?3) WHERE batch = ?2");
    if (!advance) return advance.error();
    advance_ = std::move(*advance);
    auto rows = RowWriter::prepare(connection_);
    if (!rows) return rows.error();
    rows_.emplace(std::move(*rows));
    return {};
}

// The fence at the end is what lets us believe that a batch which is not here never will be: its frames may
// still lie behind the end of the WAL, left by a process whose fsync failed. A file of an older version is
// upgraded in the same transaction: after any fault it is whole, of one version or the other.
Result<Snapshot> SqliteSession::load() {
    const std::string doing = "load it";
    std::optional<Snapshot> snapshot;
    const auto attempt = transact(doing, [&]() -> Attempt {
        auto read = readInTransaction();
        if (!read) return {Written::not_, read.error()};
        snapshot.emplace(std::move(*read));
        fence_.bind(1, static_cast<std::int64_t>(snapshot->head));
        return moveHead(fence_, doing);
    });
    if (attempt.written != Written::durably) return *attempt.error;
    keepWalOnClose(false);
    return std::move(*snapshot);
}

Result<Snapshot> SqliteSession::readInTransaction() {
    if (auto durable = rewriteWal(connection_, walBefore_); !durable) return durable.error();
    crashPoint("sqlite_wal_rewritten");
    if (auto upgraded = upgradeFormat(connection_); !upgraded) return upgraded.error();
    if (auto prepared = prepareWriting(); !prepared) return prepared.error();
    auto snapshot = readSnapshot(connection_);
    if (snapshot || snapshot.error().text.starts_with(connection_.path())) return snapshot;
    return Error{snapshot.error().code, connection_.path() + ": " + snapshot.error().text};
}

SqliteSession::Attempt SqliteSession::write(BatchId batch, std::span<const Change> changes,
                                            const EventChanges& events) {
    const std::string doing = "commit batch " + std::to_string(batch);
    return transact(doing, [&]() -> Attempt {
        advance_.bind(1, static_cast<std::int64_t>(batch));
        advance_.bind(2, static_cast<std::int64_t>(batch) - 1);
        advance_.bind(3, static_cast<std::int64_t>(greatestNumber(changes, events)));
        if (auto moved = moveHead(advance_, doing); moved.written != Written::durably) return moved;
        for (const Change& change : changes) {
            crashPoint("sqlite_row");
            if (const int code = rows_->write(change); code != SQLITE_OK) {
                return {Written::not_, connection_.error(code, doing)};
            }
        }
        crashPoint("sqlite_rows_written");
        if (const int code = rows_->write(events); code != SQLITE_OK)
            return {Written::not_, connection_.error(code, doing)};
        return {};
    });
}

SqliteSession::Attempt SqliteSession::fence(BatchId head) {
    const std::string doing = "fence off what follows batch " + std::to_string(head);
    return transact(doing, [&]() -> Attempt {
        fence_.bind(1, static_cast<std::int64_t>(head));
        return moveHead(fence_, doing);
    });
}

SqliteSession::Attempt SqliteSession::moveHead(sqlite::Statement& statement, const std::string& doing) {
    if (const int code = statement.run(); code != SQLITE_OK)
        return {Written::not_, connection_.error(code, doing)};
    if (connection_.changes() != 1)
        return {Written::guardDidNotHold, writtenByOthers(connection_.path(), doing)};
    return {};
}

// Whatever fails before COMMIT is certainly not written: frames that overflowed from the cache into the WAL
// carry no mark of a transaction's end.
template <typename Body>
SqliteSession::Attempt SqliteSession::transact(const std::string& doing, Body&& body) {
    crashPoint("sqlite_before_begin");
    if (const int code = begin_.run(); code != SQLITE_OK)
        return {Written::not_, connection_.error(code, doing)};
    crashPoint("sqlite_begun");
    Attempt attempt;
    try {
        attempt = body();
    } catch (...) {
        rollback();
        throw;
    }
    if (attempt.written != Written::durably) {
        rollback();
        return attempt;
    }
    return commit(doing);
}

SqliteSession::Attempt SqliteSession::commit(const std::string& doing) {
    crashPoint("sqlite_before_commit");
    const int code = commit_.run();
    crashPoint("sqlite_after_commit");
    if (code == SQLITE_OK) return {};
    const bool outOfSpace = isOutOfSpace(connection_, code);
    // BUSY is answered before anything is written and leaves the transaction open.
    const bool stillOpen = connection_.inTransaction();
    Attempt attempt{outOfSpace ? Written::notInFull : Written::perhaps, connection_.error(code, doing)};
    if (outOfSpace) attempt.error->code = ErrorCode::noSpace;
    if ((code & 0xff) == SQLITE_BUSY && stillOpen) attempt.written = Written::not_;
    rollback();
    return attempt;
}

void SqliteSession::rollback() noexcept {
    if (connection_.inTransaction()) (void)rollback_.run();
}

void SqliteSession::keepWalOnClose(bool keep) noexcept {
    sqlite3_db_config(connection_.raw(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep ? 1 : 0, nullptr);
}

}  // namespace crnpd::store
