// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/store/store_format.h"

namespace crnpd::store {
namespace {

// STRICT and the CHECKs hold whoever edits the file by hand to what load() accepts.
constexpr const char* schema = R"sql(
CREATE TABLE format (line INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
CREATE TABLE head (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    batch INTEGER NOT NULL,
    epoch INTEGER NOT NULL
) STRICT;
CREATE TABLE clients (
    id INTEGER PRIMARY KEY,
    ip TEXT NOT NULL,
    port INTEGER NOT NULL,
    registrations TEXT,
    removed_at INTEGER,
    CHECK ((registrations IS NULL) <> (removed_at IS NULL))
) STRICT;
INSERT INTO head VALUES (1, 0, 0);
INSERT INTO format VALUES
    (1, 'Registrations of crnpd, the CRNP server. Format version 1.'),
    (2, 'Look, but do not write while a server runs: it has everything in memory and would not see it.'),
    (3, 'Back it up with: sqlite3 FILE ".backup COPY". Never copy the file alone: its newest part is in FILE-wal.'),
    (4, 'clients: one row per callback address (ip, port). registrations: what the client asked for.'),
    (5, 'removed_at, instead of registrations: this client was removed then (ms since 1970, UTC).'),
    (6, 'registrations is COUNT: and for each CLASS, +SUBCLASS or -, PAIRS: and for each NAME, VALUES: and each VALUE.'),
    (7, 'Every string is written LENGTH:BYTES, every number is decimal and ends with a colon.'),
    (8, 'head: batch counts commits; epoch counts the times the file was opened or repaired.'),
    (9, 'The whole description: docs/store-format.md of crnpd.');
)sql";

Result<void> done(sqlite::Connection& connection, int code, std::string_view doing) {
    if (code != SQLITE_OK) return connection.error(code, doing);
    return {};
}

}  // namespace

Result<void> checkMarks(const std::string& path, std::int64_t application, std::int64_t version) {
    if (application != applicationId) {
        return Error{ErrorCode::foreign, path + " is an SQLite database of another program (application_id " +
                                             std::to_string(application) +
                                             "). It was left untouched. Set store.path to another file."};
    }
    if (version > formatVersion) {
        return Error{
            ErrorCode::foreign,
            path + " has format version " + std::to_string(version) +
                ", written by a newer crnpd; this one " + "knows versions up to " +
                std::to_string(formatVersion) +
                ". It was left untouched. Install the newer crnpd, or set store.path to another file."};
    }
    if (version < 1) {
        return Error{ErrorCode::damaged,
                     path + " has format version " + std::to_string(version) +
                         ", which no crnpd wrote. It was left untouched. Restore a back-up."};
    }
    return {};
}

Result<void> writeFormat(sqlite::Connection& connection) {
    const std::string marks = "PRAGMA application_id=" + std::to_string(applicationId) +
                              ";PRAGMA user_version=" + std::to_string(formatVersion) + ';';
    const std::string all = "BEGIN;" + std::string(schema) + marks + "COMMIT";
    return done(connection, connection.run(all.c_str()), "write the tables of a new store");
}

// Version 1 is the first. A later version adds its step here: from 1 to 2, from 2 to 3, and sets user_version
// in the same transaction, so that a crash leaves the old version whole.
Result<void> upgradeFormat(sqlite::Connection&, std::int64_t) {
    return {};
}

}  // namespace crnpd::store
