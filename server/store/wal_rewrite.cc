// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/store/wal_rewrite.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <string_view>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "common/unique_fd.h"

namespace crnpd::store {
namespace {

// SQLite's own file layer takes less than 128 KiB at once: it cuts the length of a call to 17 bits.
constexpr std::size_t chunkSize = 64UL * 1024;

void add(WalFingerprint& fingerprint, std::string_view chunk) {
    fingerprint.size += static_cast<std::int64_t>(chunk.size());
    fingerprint.hash = fingerprint.hash * 1099511628211U + std::hash<std::string_view>{}(chunk);
}

// The open WAL of the connection, or null if the database is not in WAL mode.
sqlite3_file* walOf(const sqlite::Connection& connection) {
    sqlite3_file* file = nullptr;
    sqlite3_file_control(connection.raw(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
    return file != nullptr && file->pMethods != nullptr ? file : nullptr;
}

// Full chunks whatever the file system hands out, so that both passes hash the same pieces.
Result<std::size_t> readChunk(int fd, std::vector<char>& chunk, const std::string& path) {
    std::size_t filled = 0;
    while (filled < chunk.size()) {
        const auto length = ::read(fd, chunk.data() + filled, chunk.size() - filled);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0)
            return Error{ErrorCode::io, path + ": cannot read: " + std::generic_category().message(errno)};
        if (length == 0) break;
        filled += static_cast<std::size_t>(length);
    }
    return filled;
}

}  // namespace

Result<WalFingerprint> fingerprintWal(const std::string& path) {
    const std::string wal = path + "-wal";
    const UniqueFd file(::open(wal.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file && errno == ENOENT) return WalFingerprint{};
    if (!file) return Error{ErrorCode::io, wal + ": cannot open: " + std::generic_category().message(errno)};
    WalFingerprint fingerprint;
    std::vector<char> chunk(chunkSize);
    for (;;) {
        const auto length = readChunk(file.fd(), chunk, wal);
        if (!length) return length.error();
        if (*length == 0) return fingerprint;
        add(fingerprint, {chunk.data(), *length});
    }
}

Result<void> rewriteWal(sqlite::Connection& connection, const WalFingerprint& before) {
    sqlite3_file* const wal = walOf(connection);
    if (wal == nullptr) return {};
    sqlite3_int64 size = 0;
    int code = wal->pMethods->xFileSize(wal, &size);
    WalFingerprint now;
    std::vector<char> chunk(chunkSize);
    while (code == SQLITE_OK && now.size < size) {
        const auto length =
            std::min<sqlite3_int64>(size - now.size, static_cast<sqlite3_int64>(chunk.size()));
        code = wal->pMethods->xRead(wal, chunk.data(), static_cast<int>(length), now.size);
        if (code != SQLITE_OK) break;
        code = wal->pMethods->xWrite(wal, chunk.data(), static_cast<int>(length), now.size);
        add(now, {chunk.data(), static_cast<std::size_t>(length)});
    }
    if (code == SQLITE_OK && size > 0) code = wal->pMethods->xSync(wal, SQLITE_SYNC_FULL);
    if (code != SQLITE_OK) return connection.error(code, "make the WAL durable");
    if (now == before) return {};
    return Error{ErrorCode::busy,
                 "the WAL of the store changed while it was opened: another program writes to it"};
}

}  // namespace crnpd::store
