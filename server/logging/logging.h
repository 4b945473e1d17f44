// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Where log lines go: the journal with fields, standard error or a file, as text or JSON.
//
// Promise    log() never waits for the target: lines go through a bounded queue to a thread of their own.
// When
//            the target is too slow the oldest lines are dropped, counted, and the count is logged.
// Threads    Made and used by the main thread; log() is anybody's while it lives.
// Errors     The constructor throws std::runtime_error for a file that cannot be opened.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "common/clock.h"
#include "common/log.h"

namespace spdlog::details {
class thread_pool;
}

namespace crnpd::logging {

enum class Target { automatic, journal, standardError, file };

struct Options {
    spdlog::level::level_enum level = spdlog::level::info;
    // automatic: the journal if standard error leads there (a systemd service), else standard error.
    Target target = Target::automatic;
    std::filesystem::path file;  // for Target::file
    bool json = false;
};

class TargetSink;

class Logging {
public:
    Logging(const Clock& clock, const Options& options);
    // Writes what is queued; a target that takes nothing is given up after `lastWait`.
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
    void drain();

    std::shared_ptr<TargetSink> sink_;
    std::shared_ptr<spdlog::details::thread_pool> pool_;
    std::uint64_t overrunsTold_ = 0;
};

}  // namespace crnpd::logging
