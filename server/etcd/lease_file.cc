// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/lease_file.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/unique_fd.h"

namespace crnpd::etcd {
namespace {

struct Note {
    LeaseId lease = 0;
    pid_t pid = 0;
    std::uint64_t started = 0;
};

// In clock ticks since the machine started; nothing if there is no such process, or it has died and nobody
// has asked what of.
std::optional<std::uint64_t> startOf(pid_t pid) {
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    std::string text;
    if (!std::getline(file, text)) return std::nullopt;
    // Field 22; the second one, the program's name in parentheses, may hold anything.
    std::istringstream rest(text.substr(text.rfind(')') + 1));
    std::string word;
    rest >> word;  // the third
    if (word == "Z" || word == "X") return std::nullopt;
    for (int field = 4; field <= 22; ++field)
        rest >> word;
    std::uint64_t started = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), started);
    if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    return started;
}

bool isRunning(const Note& note) {
    if (::kill(note.pid, 0) != 0 && errno == ESRCH) return false;
    return startOf(note.pid) == note.started;
}

std::optional<Note> parse(std::string_view text) {
    Note note;
    const auto take = [&](std::string_view name, auto& number, int base) {
        if (!text.starts_with(name)) return false;
        text.remove_prefix(name.size());
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
        if (error != std::errc{} || end == text.data() + text.size() || *end != '\n') return false;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
        return true;
    };
    const bool isNote = take("lease ", note.lease, 16) && take("pid ", note.pid, 10) &&
                        take("started ", note.started, 10) && note.lease != 0 && note.pid > 0;
    return isNote ? std::optional(note) : std::nullopt;
}

Error ioError(const std::string& path, const char* doing) {
    const int error = errno;
    return {ErrorCode::io,
            fmt::format("{}: cannot be {}: {}", path, doing, std::generic_category().message(error))};
}

}  // namespace

Result<void> writeLeaseFile(const std::string& path, LeaseId lease) {
    const auto text =
        fmt::format("lease {:x}\npid {}\nstarted {}\n", lease, ::getpid(), startOf(::getpid()).value_or(0));
    // By way of a second file, so that nobody ever reads half a note.
    const auto draft = path + ".new";
    ::unlink(draft.c_str());
    const UniqueFd file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) return ioError(draft, "written");
    if (::write(file.fd(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return ioError(draft, "written");
    if (::rename(draft.c_str(), path.c_str()) != 0) return ioError(path, "written");
    return {};
}

void removeLeaseFile(const std::string& path) noexcept {
    ::unlink(path.c_str());
}

Result<bool> revokeLeaseInFile(Leases& etcd, const std::string& path) {
    errno = 0;
    std::ifstream file(path);
    if (!file && errno == ENOENT) return false;
    std::ostringstream content;
    content << file.rdbuf();
    if (!file) return ioError(path, "read");
    const auto note = parse(content.str());
    if (!note)
        return Error{ErrorCode::damaged,
                     fmt::format("{}: is no note of a lease; remove it if crnpd does not run", path)};
    if (isRunning(*note))
        return Error{ErrorCode::busy, fmt::format("process {}, which leads under lease {:x}, still runs",
                                                  note->pid, note->lease)};
    if (auto revoked = etcd.revoke(note->lease); !revoked) return revoked.error();
    removeLeaseFile(path);
    return true;
}

}  // namespace crnpd::etcd
