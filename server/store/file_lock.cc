// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/store/file_lock.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <exception>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/store_file.h"

namespace crnpd::store {
namespace {

// How long a free lock stays unnoticed. Twenty system calls a second cost nothing; a blocking flock() would
// need a thread and a signal to be interrupted.
constexpr std::chrono::milliseconds betweenAttempts{50};

Error systemError(const std::string& path, const char* doing) {
    const int error = errno;
    const auto code = error == ENOENT                      ? ErrorCode::notFound
                      : error == ENOSPC || error == EDQUOT ? ErrorCode::noSpace
                                                           : ErrorCode::io;
    return {code, path + ": cannot " + doing + ": " + std::generic_category().message(error)};
}

std::string hostName() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return "?";
    return name.data();
}

std::string nowUtc() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text.data();
}

// The value of the line "name: value", empty if there is none.
std::string_view valueOf(std::string_view text, std::string_view name) {
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (line.starts_with(name) && line.substr(name.size()).starts_with(": "))
            return line.substr(name.size() + 2);
    }
    return {};
}

// In place: the lock is on the inode, so the file is never renamed over. One write of less than a sector is
// not torn by a crash.
Result<void> writeWhole(int fd, const std::string& path, const std::string& text) {
    const auto written = ::pwrite(fd, text.data(), text.size(), 0);
    if (written != static_cast<ssize_t>(text.size())) return systemError(path, "write");
    if (::ftruncate(fd, written) != 0) return systemError(path, "truncate");
    return {};
}

// An administrator who deleted or replaced the file left us with a lock on something that nobody else will
// ever lock.
bool isStillTheFile(int fd, const std::string& path) {
    struct stat ours {};
    struct stat there {};
    return ::fstat(fd, &ours) == 0 && ::stat(path.c_str(), &there) == 0 && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}

}  // namespace

FileLock::FileLock(std::string storePath) : storePath_(std::move(storePath)) {}

Result<Term> FileLock::campaign(std::stop_token stop) noexcept {
    try {
        const auto path = lockPath();
        if (!path) return path.error();
        std::mutex waiting;
        std::condition_variable_any stopped;
        for (;;) {
            if (stop.stop_requested()) return Error{ErrorCode::cancelled, "told to stop"};
            auto locked = tryLock(*path);
            if (!locked) return locked.error();
            if (*locked) return takeOffice(*path, std::move(*locked));
            std::unique_lock lock(waiting);
            stopped.wait_for(lock, stop, betweenAttempts, [] { return false; });
        }
    } catch (const std::exception&) {
        return Error{ErrorCode::noSpace, "out of memory"};
    }
}

Result<std::string> FileLock::lockPath() const {
    auto store = canonicalPath(storePath_);
    if (!store) return store;
    return *store + ".lock";
}

// flock() and not an OFD lock: both belong to the open file and not to the process, so a stray close()
// elsewhere loses neither; but flock() names its holder in /proc/locks and lslocks, and flock(1) lets a
// script wait for the same lock. O_CLOEXEC: a child that lives on after us must not hold it.
Result<UniqueFd> FileLock::tryLock(const std::string& path) const {
    UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    if (!file) return systemError(path, "open the lock file");
    while (::flock(file.fd(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return UniqueFd{};
        if (errno != EINTR) return systemError(path, "lock");
    }
    if (!isStillTheFile(file.fd(), path)) return UniqueFd{};
    return file;
}

Result<Term> FileLock::takeOffice(const std::string& path, UniqueFd locked) {
    {
        const std::lock_guard guard(mutex_);
        isOurs_ = true;
        ++tenures_;
    }
    auto term = enter(path, std::move(locked));
    if (!term) {
        const std::lock_guard guard(mutex_);
        isOurs_ = false;
    }
    return term;
}

Result<Term> FileLock::enter(const std::string& path, UniqueFd locked) {
    const Term term = readHolder(locked.fd()).term + 1;
    const std::string text =
        "crnpd holds this lock while it runs. Never delete this file.\nterm: " + std::to_string(term) +
        "\npid: " + std::to_string(::getpid()) + "\nhost: " + hostName() + "\nsince: " + nowUtc() + '\n';
    if (auto written = writeWhole(locked.fd(), path, text); !written) return written.error();
    if (::fsync(locked.fd()) != 0) return systemError(path, "sync");
    const std::lock_guard guard(mutex_);
    held_ = std::move(locked);
    term_ = term;
    return term;
}

// The file stays: whoever deleted it could not keep a third process from locking the old one, already open,
// while a fourth makes and locks a new one.
void FileLock::resign() noexcept {
    const std::lock_guard guard(mutex_);
    if (!held_) return;
    try {
        const std::string text =
            "crnpd holds this lock while it runs. Never delete this file.\nterm: " + std::to_string(term_) +
            "\nsince: " + nowUtc() + '\n';
        (void)writeWhole(held_.fd(), "", text);
    } catch (const std::exception&) {
        // The file then names us although nobody holds the lock; leader() looks at the lock first.
    }
    held_.reset();
    isOurs_ = false;
}

std::optional<std::uint64_t> FileLock::tenuresBefore() const {
    const std::lock_guard guard(mutex_);
    if (isOurs_) return std::nullopt;
    return tenures_;
}

std::string FileLock::leader() const {
    const auto tenures = tenuresBefore();
    if (!tenures) return {};
    const auto path = lockPath();
    if (!path) return {};
    const UniqueFd file(::open(path->c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return {};
    // A shared lock that is granted shows that nobody leads; closing the file gives it back.
    if (::flock(file.fd(), LOCK_SH | LOCK_NB) == 0) return {};
    const auto holder = readHolder(file.fd());
    // It may have become ours meanwhile, and even have been given back: then the file named us.
    if (holder.pid.empty() || tenuresBefore() != tenures) return {};
    return "process " + holder.pid + " on " + holder.host;
}

FileLock::Holder FileLock::readHolder(int fd) {
    std::array<char, 1024> buffer{};
    const auto length = ::pread(fd, buffer.data(), buffer.size(), 0);
    if (length <= 0) return {};
    const std::string_view text(buffer.data(), static_cast<std::size_t>(length));
    Holder holder;
    const auto term = valueOf(text, "term");
    std::from_chars(term.data(), term.data() + term.size(), holder.term);
    holder.pid = valueOf(text, "pid");
    holder.host = valueOf(text, "host");
    return holder;
}

}  // namespace crnpd::store
