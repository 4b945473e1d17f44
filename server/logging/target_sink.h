// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The end of a log line's way: hands it to the target that is set, and is the gate for floods at the
// same time.
//
// Promise    setTarget() does not wait for a line that is being written; the next line goes to the new
//            target. Threads    admits() any; log() the logging thread; everything else the main thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <spdlog/sinks/sink.h>

#include "common/log.h"
#include "server/logging/flood.h"
#include "server/logging/log_target.h"

namespace crnpd::logging {

class TargetSink final : public spdlog::sinks::sink, public FloodGate {
public:
    TargetSink(const Clock& clock, std::shared_ptr<LogTarget> target)
        : flood_(clock), target_(std::move(target)) {}

    void setTarget(std::shared_ptr<LogTarget> target);

    [[nodiscard]] bool admits(std::string_view id) noexcept override { return flood_.admits(id); }
    [[nodiscard]] std::vector<Flood::Withheld> takeWithheld() { return flood_.takeWithheld(); }
    [[nodiscard]] std::uint64_t takeLost() noexcept { return lost_.exchange(0); }

    void log(const spdlog::details::log_msg& message) override;
    void flush() override {}
    void set_pattern(const std::string&) override {}
    void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

private:
    Flood flood_;
    std::atomic<std::uint64_t> lost_{0};
    std::mutex mutex_;  // of target_; never held while a line is written
    std::shared_ptr<LogTarget> target_;
};

}  // namespace crnpd::logging
