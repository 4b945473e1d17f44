// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The end of a log line's way: writes it to the target that is set, and is the gate for floods at the
// same time.
//
// Threads    admits() any; log() the logging thread; everything else the main thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include <spdlog/sinks/sink.h>

#include "common/log.h"
#include "common/result.h"
#include "common/unique_fd.h"
#include "server/logging/flood.h"
#include "server/logging/logging.h"

namespace crnpd::logging {

class TargetSink final : public spdlog::sinks::sink, public FloodGate {
public:
    explicit TargetSink(const Clock& clock) : flood_(clock) {}

    // Opens what `options` name and writes there from now on. On an error nothing has changed.
    [[nodiscard]] Result<void> open(const Options& options);

    [[nodiscard]] bool admits(std::string_view id) noexcept override { return flood_.admits(id); }
    [[nodiscard]] std::vector<Flood::Withheld> takeWithheld() { return flood_.takeWithheld(); }
    [[nodiscard]] std::uint64_t takeLost() noexcept { return lost_.exchange(0); }

    void log(const spdlog::details::log_msg& message) override;
    void flush() override {}
    void set_pattern(const std::string&) override {}
    void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

private:
    void writeLine(std::string_view line);

    Flood flood_;
    std::atomic<std::uint64_t> lost_{0};

    std::mutex mutex_;  // of what follows
    bool journal_ = false;
    bool json_ = false;
    UniqueFd file_;
    bool clogged_ = false;  // the last line found no room
};

}  // namespace crnpd::logging
