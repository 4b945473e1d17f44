// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/logging/target_sink.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "server/logging/line.h"

namespace crnpd::logging {
namespace {

// A pipe or terminal that has room for nothing (a reader that stopped reading) gets this long once; as
// long as it stays full, further lines are dropped at once.
constexpr int patience = 200;  // ms

// A write to a pipe that poll() calls writable takes this much without blocking (PIPE_BUF).
constexpr std::size_t longestLine = 4096;

// systemd.exec(5): JOURNAL_STREAM holds device and inode of the stream that leads to the journal.
bool standardErrorIsJournal() {
    const char* const stream = std::getenv("JOURNAL_STREAM");
    struct stat status {};
    if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
    return fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

void sendToJournal(const spdlog::details::log_msg& message) {
    const auto fields = asJournalFields(message);
    std::vector<iovec> parts;
    parts.reserve(fields.size());
    for (const auto& field : fields)
        parts.push_back({const_cast<char*>(field.data()), field.size()});
    ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
}

}  // namespace

Result<void> TargetSink::open(const Options& options) {
    UniqueFd file;
    if (options.target == Target::file) {
        file = UniqueFd(::open(options.file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
        if (!file) return Error{ErrorCode::io, std::strerror(errno)};
    }
    const std::scoped_lock lock(mutex_);
    journal_ = options.target == Target::journal ||
               (options.target == Target::automatic && standardErrorIsJournal());
    json_ = options.json;
    file_ = std::move(file);
    clogged_ = false;
    return {};
}

void TargetSink::log(const spdlog::details::log_msg& message) {
    const std::scoped_lock lock(mutex_);
    if (journal_) return sendToJournal(message);
    writeLine(json_ ? asJson(message) : asText(message));
}

void TargetSink::writeLine(std::string_view line) {
    const int fd = file_ ? file_.fd() : STDERR_FILENO;
    std::string cut;
    if (line.size() > longestLine) {
        cut = line.substr(0, longestLine - 1);
        cut += '\n';
        line = cut;
    }
    pollfd room{fd, POLLOUT, 0};
    clogged_ = ::poll(&room, 1, clogged_ ? 0 : patience) <= 0;
    if (clogged_ || ::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
        lost_.fetch_add(1, std::memory_order_relaxed);
    }
}

}  // namespace crnpd::logging
