// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/store/sqlite.h"

#include <cerrno>
#include <system_error>
#include <utility>

namespace crnpd::store::sqlite {
namespace {

bool isOutOfSpace(int systemError) {
    return systemError == ENOSPC || systemError == EDQUOT;
}

ErrorCode meaning(int code, int systemError) {
    switch (code & 0xff) {
        case SQLITE_FULL:
        case SQLITE_NOMEM:
            return ErrorCode::noSpace;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return ErrorCode::busy;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        // A table or column of ours is missing, or a rule of a table does not hold.
        case SQLITE_ERROR:
        case SQLITE_CONSTRAINT:
        case SQLITE_MISMATCH:
        case SQLITE_DONE:  // a row of ours is missing
            return ErrorCode::damaged;
        default:
            return isOutOfSpace(systemError) ? ErrorCode::noSpace : ErrorCode::io;
    }
}

}  // namespace

void Statement::bind(int parameter, std::string_view text) noexcept {
    // A null pointer would be stored as NULL, and an empty view may have one.
    const char* const data = text.empty() ? "" : text.data();
    sqlite3_bind_text64(statement_.get(), parameter, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::bind(int parameter, std::int64_t number) noexcept {
    sqlite3_bind_int64(statement_.get(), parameter, number);
}

void Statement::bindNull(int parameter) noexcept {
    sqlite3_bind_null(statement_.get(), parameter);
}

int Statement::run() noexcept {
    const int code = sqlite3_step(statement_.get());
    sqlite3_reset(statement_.get());
    sqlite3_clear_bindings(statement_.get());
    return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}

std::string_view Statement::text(int column) const noexcept {
    const auto* const data = sqlite3_column_text(statement_.get(), column);
    if (data == nullptr) return {};
    return {reinterpret_cast<const char*>(data),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

Result<Connection> Connection::open(const std::string& path, const std::string& vfs, int flags) {
    sqlite3* db = nullptr;
    const int all = flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int code = sqlite3_open_v2(path.c_str(), &db, all, vfs.empty() ? nullptr : vfs.c_str());
    Connection connection(db, path);
    if (code != SQLITE_OK) return connection.error(code, "open it");
    return connection;
}

int Connection::run(const char* sql) noexcept {
    return sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
}

Result<Statement> Connection::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return error(code, "prepare \"" + std::string(sql) + '"');
    return Statement(statement);
}

Result<std::int64_t> Connection::number(std::string_view sql) {
    auto query = prepare(sql);
    if (!query) return query.error();
    const int code = query->step();
    if (code != SQLITE_ROW) return error(code, "read \"" + std::string(sql) + '"');
    return query->number(0);
}

Error Connection::error(int code, std::string_view doing) const {
    const int systemError = db_ ? sqlite3_system_errno(db_.get()) : 0;
    std::string text = path_ + ": cannot " + std::string(doing) + ": ";
    text += db_ && code != SQLITE_DONE ? sqlite3_errmsg(db_.get()) : sqlite3_errstr(code);
    text += " (SQLite result " + std::to_string(code);
    const bool systemSpoke = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
    if (systemSpoke && systemError != 0) text += ", " + std::generic_category().message(systemError);
    text += ')';
    return {meaning(code, systemSpoke ? systemError : 0), std::move(text)};
}

}  // namespace crnpd::store::sqlite
