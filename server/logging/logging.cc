// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/logging/logging.h"

#include <stdexcept>
#include <thread>

#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/spdlog.h>

#include "common/messages.h"
#include "server/logging/target_sink.h"

namespace crnpd::logging {
namespace {

constexpr std::size_t queuedLines = 8192;

}  // namespace

Logging::Logging(const Clock& clock, const Options& options)
    : sink_(std::make_shared<TargetSink>(clock)),
      pool_(std::make_shared<spdlog::details::thread_pool>(queuedLines, 1)) {
    if (const auto opened = sink_->open(options); !opened) {
        throw std::runtime_error(
            fmt::format("the log file {} cannot be opened: {}", options.file.string(), opened.error().text));
    }
    auto logger = std::make_shared<spdlog::async_logger>("crnpd", sink_, pool_,
                                                         spdlog::async_overflow_policy::overrun_oldest);
    logger->set_level(options.level);
    spdlog::set_default_logger(std::move(logger));
}

Logging::~Logging() {
    sumUp();
    drain();
    // Whoever logs from now on logs to nowhere.
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("none"));
    // A thread that hangs in its target cannot be joined; it ends with the process.
    if (pool_->queue_size() > 0) {
        [[maybe_unused]] const auto* const left =
            new std::shared_ptr(pool_);  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks)
    }
}

void Logging::drain() {
    const auto end = std::chrono::steady_clock::now() + lastWait;
    while (pool_->queue_size() > 0 && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
}

void Logging::apply(const Options& options) {
    if (const auto opened = sink_->open(options); !opened) {
        log(msg::logNotReopened, options.file.string(), opened.error().text);
        return;
    }
    spdlog::default_logger_raw()->set_level(options.level);
}

void Logging::sumUp() {
    for (const auto& [id, lines] : sink_->takeWithheld())
        log(msg::flood, id, lines);
    const std::uint64_t overruns = pool_->overrun_counter();
    const auto lost = overruns - overrunsTold_ + sink_->takeLost();
    overrunsTold_ = overruns;
    if (lost > 0) log(msg::linesLost, lost);
}

}  // namespace crnpd::logging
