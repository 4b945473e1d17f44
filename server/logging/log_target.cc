// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/logging/log_target.h"

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/unique_fd.h"
#include "server/logging/line.h"

namespace crnpd::logging {
namespace {

// A reader that has room for nothing gets this long once; as long as it stays full, further lines are
// dropped at once.
constexpr int patience = 200;  // ms

// A write to a pipe that poll() calls writable takes this much without blocking (PIPE_BUF).
constexpr std::size_t longestLine = 4096;

// Lines on their way to the journal, as much as the kernel grants.
constexpr int journalBuffer = 8 * 1024 * 1024;

// systemd.exec(5): JOURNAL_STREAM holds device and inode of the stream that leads to the journal.
bool standardErrorIsJournal() {
    const char* const stream = std::getenv("JOURNAL_STREAM");
    struct stat status {};
    if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
    return fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

// Whether a descriptor takes a line now.
class Room {
public:
    bool in(int fd) {
        pollfd room{fd, POLLOUT, 0};
        full_ = ::poll(&room, 1, full_ ? 0 : patience) <= 0;
        return !full_;
    }

private:
    bool full_ = false;  // the last line found no room
};

class StreamTarget final : public LogTarget {
public:
    // Without a file: standard error.
    StreamTarget(UniqueFd file, bool json) : file_(std::move(file)), json_(json) {}

    bool write(const spdlog::details::log_msg& message) override {
        auto line = json_ ? asJson(message) : asText(message);
        if (line.size() > longestLine) {
            line.resize(longestLine);
            line.back() = '\n';
        }
        const int fd = file_ ? file_.fd() : STDERR_FILENO;
        return room_.in(fd) && ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
    }

private:
    UniqueFd file_;
    bool json_;
    Room room_;
};

// The journal's native protocol: a datagram an entry. sd_journal_sendv() speaks it as well, but waits without
// limit for a journal that takes nothing.
class JournalTarget final : public LogTarget {
public:
    explicit JournalTarget(std::filesystem::path socket) : path_(std::move(socket)) { connect(); }

    bool write(const spdlog::details::log_msg& message) override {
        if (!socket_) connect();
        if (!room_.in(socket_.fd())) return false;
        const auto entry = entryOf(message);
        if (send(entry)) return true;
        if (errno == EAGAIN || errno == EMSGSIZE) return false;
        connect();  // the journal may have a new socket since it was last started
        return send(entry);
    }

private:
    void connect() {
        socket_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        path_.string().copy(static_cast<char*>(name.sun_path), sizeof name.sun_path - 1);
        ::setsockopt(socket_.fd(), SOL_SOCKET, SO_SNDBUF, &journalBuffer, sizeof journalBuffer);
        // If nobody is there, the next send() says so.
        (void)::connect(socket_.fd(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
    }

    [[nodiscard]] bool send(const std::string& entry) const {
        return ::send(socket_.fd(), entry.data(), entry.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(entry.size());
    }

    // NAME=value, or for a value with a line feed in it: NAME, its length in 64 bits, lowest first, value.
    static std::string entryOf(const spdlog::details::log_msg& message) {
        std::string entry;
        for (const auto& field : asJournalFields(message)) {
            const auto equals = field.find('=');
            if (field.find('\n') == std::string::npos) {
                entry += field;
            } else {
                entry.append(field, 0, equals) += '\n';
                for (std::uint64_t i = 0, length = field.size() - equals - 1; i < 8; ++i)
                    entry += static_cast<char>(length >> (8 * i) & 0xFFU);
                entry.append(field, equals + 1);
            }
            entry += '\n';
        }
        return entry;
    }

    std::filesystem::path path_;
    UniqueFd socket_;
    Room room_;
};

}  // namespace

Result<std::shared_ptr<LogTarget>> openTarget(const Options& options) {
    const bool toJournal = options.target == Target::journal ||
                           (options.target == Target::automatic && standardErrorIsJournal());
    if (toJournal) return std::shared_ptr<LogTarget>(std::make_shared<JournalTarget>(options.journal));
    UniqueFd file;
    if (options.target == Target::file) {
        // Non-blocking, so that neither opening nor writing waits for the reader of a named pipe.
        constexpr int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK;
        file = UniqueFd(::open(options.file.c_str(), flags, 0640));
        if (!file) return Error{ErrorCode::io, std::strerror(errno)};
    }
    return std::shared_ptr<LogTarget>(std::make_shared<StreamTarget>(std::move(file), options.json));
}

}  // namespace crnpd::logging
