// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/store/store_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crash_point.h"
#include "common/unique_fd.h"
#include "server/store/sqlite.h"
#include "server/store/store_format.h"

namespace crnpd::store {
namespace {

// https://www.sqlite.org/fileformat.html, "The Database Header".
constexpr std::size_t headerSize = 100;
constexpr std::string_view magic{"SQLite format 3\0", 16};
constexpr std::size_t userVersionAt = 60;
constexpr std::size_t applicationIdAt = 68;

Error systemError(const std::string& path, const char* doing) {
    const int error = errno;
    const auto code = error == ENOENT                      ? ErrorCode::notFound
                      : error == ENOSPC || error == EDQUOT ? ErrorCode::noSpace
                                                           : ErrorCode::io;
    return {code, path + ": cannot " + doing + ": " + std::generic_category().message(error)};
}

std::int64_t bigEndian(std::string_view header, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value = (value << 8U) | static_cast<unsigned char>(header[at + i]);
    return static_cast<std::int32_t>(value);
}

bool hasContent(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && status.st_size > 0;
}

// Commits wait in the WAL until they are moved into the file. If only the file is gone they must not be
// thrown away, and SQLite would lay them over a new one.
Result<FileState> absent(const std::string& path) {
    if (!hasContent(path + "-wal")) return FileState::absent;
    return Error{ErrorCode::damaged,
                 path + " is missing or empty, but " + path +
                     "-wal beside it holds commits of a store. Nothing was touched. Restore the "
                     "file from a back-up, or move the -wal file away to begin anew."};
}

Result<FileState> judgeHeader(const std::string& path, std::string_view header) {
    if (header.substr(0, magic.size()) != magic || header.size() < headerSize) {
        return Error{ErrorCode::foreign,
                     path +
                         " is not an SQLite database, so it is no store of crnpd. It was left untouched. Set "
                         "store.path to another file, or move this one away."};
    }
    if (auto known = checkMarks(path, bigEndian(header, applicationIdAt), bigEndian(header, userVersionAt));
        !known) {
        return known.error();
    }
    return FileState::store;
}

void removeRemains(const std::string& path) {
    for (const char* suffix : {"", "-journal", "-wal", "-shm"})
        ::unlink((path + suffix).c_str());
}

// No journal and no fsync while it is written: nobody knows this file yet, and it is synced as a whole before
// it gets its name. WAL mode comes last, so that everything is in the file and nothing in a WAL.
Result<void> writeEmptyStore(const std::string& path, const std::string& vfs) {
    auto connection = sqlite::Connection::open(path, vfs, SQLITE_OPEN_READWRITE);
    if (!connection) return connection.error();
    if (const int code = connection->run("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
        code != SQLITE_OK) {
        return connection->error(code, "prepare a new store");
    }
    if (auto written = writeFormat(*connection); !written) return written;
    if (const int code = connection->run("PRAGMA journal_mode=WAL"); code != SQLITE_OK) {
        return connection->error(code, "switch a new store to WAL");
    }
    return {};
}

Result<void> createAndSync(const std::string& path, const std::string& vfs) {
    const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
    if (!file) return systemError(path, "create it");
    if (auto written = writeEmptyStore(path, vfs); !written) return written;
    if (::fsync(file.fd()) != 0) return systemError(path, "sync it");
    return {};
}

}  // namespace

Result<std::string> canonicalPath(const std::string& path) {
    std::error_code error;
    const auto canonical = std::filesystem::weakly_canonical(path, error);
    if (error) return Error{ErrorCode::io, path + ": cannot resolve the path: " + error.message()};
    return canonical.string();
}

Result<FileState> inspectFile(const std::string& path) {
    // O_NONBLOCK: a pipe of that name must not hold us up.
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) {
        if (errno == ENOENT) return absent(path);
        return systemError(path, "open it");
    }
    struct stat status {};
    if (::fstat(file.fd(), &status) != 0) return systemError(path, "look at it");
    if (!S_ISREG(status.st_mode)) return Error{ErrorCode::foreign, path + " is not a regular file"};
    if (status.st_size == 0) return absent(path);

    std::array<char, headerSize> header{};
    const auto length = ::pread(file.fd(), header.data(), header.size(), 0);
    if (length < 0) return systemError(path, "read it");
    return judgeHeader(path, {header.data(), static_cast<std::size_t>(length)});
}

Result<void> createFile(const std::string& path, const std::string& vfs) {
    const std::string beside = path + ".new";
    removeRemains(beside);
    auto created = createAndSync(beside, vfs);
    crashPoint("sqlite_file_written");
    if (created && std::rename(beside.c_str(), path.c_str()) != 0)
        created = systemError(path, "give a new store its name");
    crashPoint("sqlite_file_named");
    removeRemains(beside);
    if (!created) return created;
    return syncFolderOf(path);
}

Result<void> syncFolderOf(const std::string& path) {
    const std::string folder = std::filesystem::path(path).parent_path().string();
    const UniqueFd opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened) return systemError(folder, "open the folder");
    if (::fsync(opened.fd()) != 0) return systemError(folder, "sync the folder");
    return {};
}

}  // namespace crnpd::store
