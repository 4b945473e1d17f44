// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/store/store_format.h"

namespace crnpd::store {
namespace {

// A new file is made as an old one is upgraded, so that both are the same. STRICT and the CHECKs hold whoever
// edits the file by hand to what load() accepts.
constexpr const char* version1 = R"sql(
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

// Adding columns leaves the rows as they are: what is not there yet reads as the default.
constexpr const char* fromVersion1To2 = R"sql(
ALTER TABLE head ADD COLUMN last INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN via TEXT;
ALTER TABLE clients ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN added INTEGER NOT NULL DEFAULT 0;
CREATE TABLE events (sequence INTEGER PRIMARY KEY, event TEXT NOT NULL) STRICT;
CREATE TABLE mark (only INTEGER PRIMARY KEY CHECK (only = 1), text TEXT NOT NULL) STRICT;
UPDATE format SET text = 'Registrations of crnpd, the CRNP server. Format version 2.' WHERE line = 1;
INSERT OR REPLACE INTO format VALUES
    (10, 'via: the address of this server that the client spoke to. joined, added: numbers of its last messages.'),
    (11, 'events: what was published and somebody may still need. mark: how far the delivery to clients is.'),
    (12, 'head.last: the greatest number that an event or a message of a client ever had.');
PRAGMA user_version = 2;
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
    const std::string marks = "PRAGMA application_id=" + std::to_string(applicationId) + ';';
    const std::string all = std::string("BEGIN;") + version1 + fromVersion1To2 + marks + "COMMIT";
    return done(connection, connection.run(all.c_str()), "write the tables of a new store");
}

// One step for each version, each of which sets user_version.
Result<void> upgradeFormat(sqlite::Connection& connection) {
    const auto version = connection.number("PRAGMA user_version");
    if (!version) return version.error();
    if (*version >= formatVersion) return {};
    return done(connection, connection.run(fromVersion1To2), "upgrade it to format version 2");
}

}  // namespace crnpd::store
