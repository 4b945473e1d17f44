// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// SQLite as this folder uses it: a connection and a statement that close themselves, and error codes in
// words. Included by the sources of this folder only.
//
// Errors     Methods that do one step return SQLite's (extended) result code, because what a commit means
//            depends on it; Connection::error() puts it into words right after the failed call.
// Threads    One thread at a time (SQLITE_OPEN_NOMUTEX).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <sqlite3.h>

#include "common/result.h"

namespace crnpd::store::sqlite {

class Statement {
public:
    Statement() = default;
    explicit Statement(sqlite3_stmt* statement) noexcept : statement_(statement) {}

    // Texts are not copied: they must live until the statement was run.
    void bind(int parameter, std::string_view text) noexcept;
    void bind(int parameter, std::int64_t number) noexcept;
    void bindNull(int parameter) noexcept;

    // One step of a query: SQLITE_ROW, SQLITE_DONE or why not.
    [[nodiscard]] int step() noexcept { return sqlite3_step(statement_.get()); }
    void reset() noexcept { sqlite3_reset(statement_.get()); }
    // A whole statement without rows: SQLITE_OK or why not. Forgets what was bound.
    [[nodiscard]] int run() noexcept;

    [[nodiscard]] int type(int column) const noexcept {
        return sqlite3_column_type(statement_.get(), column);
    }
    [[nodiscard]] std::int64_t number(int column) const noexcept {
        return sqlite3_column_int64(statement_.get(), column);
    }
    // Valid until the next step.
    [[nodiscard]] std::string_view text(int column) const noexcept;

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
    };
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Connection {
public:
    // `vfs` empty means SQLite's own. `flags` in addition to NOMUTEX and extended result codes.
    static Result<Connection> open(const std::string& path, const std::string& vfs, int flags);

    [[nodiscard]] int run(const char* sql) noexcept;
    [[nodiscard]] Result<Statement> prepare(std::string_view sql);
    // The first column of the first row of a query that answers one number.
    [[nodiscard]] Result<std::int64_t> number(std::string_view sql);

    [[nodiscard]] bool inTransaction() const noexcept { return sqlite3_get_autocommit(db_.get()) == 0; }
    [[nodiscard]] int changes() const noexcept { return sqlite3_changes(db_.get()); }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] sqlite3* raw() const noexcept { return db_.get(); }

    // What the last call's result code means; `doing` says what was tried: "commit batch 7".
    [[nodiscard]] Error error(int code, std::string_view doing) const;

private:
    struct Close {
        void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
    };
    Connection(sqlite3* db, std::string path) : db_(db), path_(std::move(path)) {}

    std::unique_ptr<sqlite3, Close> db_;
    std::string path_;
};

}  // namespace crnpd::store::sqlite
