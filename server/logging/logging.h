// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Where log lines go: the journal with fields, standard error or a file, as text or JSON.
//
// Promise    Nobody waits for the target: lines go through a bounded queue to a thread of their own, which
//            also takes over a new target by itself. When the target is too slow the oldest lines are
//            dropped, counted, and the count is logged.
// Threads    Made and used by the main thread; log() is anybody's while it lives.
// Errors     The constructor throws std::runtime_error for a file that cannot be opened.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "common/clock.h"
#include "common/log.h"
#include "common/result.h"

namespace spdlog {
class logger;
namespace details {
class thread_pool;
}
}  // namespace spdlog

namespace crnpd::logging {

enum class Target { automatic, journal, standardError, file };

struct Options {
    spdlog::level::level_enum level = spdlog::level::info;
    // automatic: the journal if standard error leads there (a systemd service), else standard error.
    Target target = Target::automatic;
    std::filesystem::path file;  // for Target::file
    bool json = false;
    std::filesystem::path journal = "/run/systemd/journal/socket";
};

class LogTarget;
class TargetSink;
using OpenTarget = std::function<Result<std::shared_ptr<LogTarget>>(const Options&)>;

class Logging {
public:
    Logging(const Clock& clock, const Options& options);
    Logging(const Clock& clock, const Options& options, OpenTarget openTarget);
    // Writes what is queued; a target that has not taken it after `lastWait` is given up, and its thread ends
    // with the process.
    ~Logging();
    Logging(const Logging&) = delete;
    Logging& operator=(const Logging&) = delete;

    static constexpr std::chrono::milliseconds lastWait{2000};

    // Takes over new settings and opens a log file anew (after logrotate has moved it away). Where the
    // new file cannot be opened everything stays as it was, and the log says so.
    void apply(const Options& options);

    // Logs how many lines of a flood were withheld and how many were lost. To be called every second.
    void sumUp();

private:
    const OpenTarget openTarget_;
    std::shared_ptr<TargetSink> sink_;
    std::shared_ptr<spdlog::details::thread_pool> pool_;
    std::shared_ptr<spdlog::logger> logger_;  // ours to the end, so that no line in the queue takes it along
    std::uint64_t overrunsTold_ = 0;
};

}  // namespace crnpd::logging
