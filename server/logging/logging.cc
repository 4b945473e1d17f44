// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/logging/logging.h"

#include <exception>
#include <future>
#include <stdexcept>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/spdlog.h>

#include "common/messages.h"
#include "server/logging/target_sink.h"

namespace crnpd::logging {
namespace {

constexpr std::size_t queuedLines = 8192;

}  // namespace

Logging::Logging(const Clock& clock, const Options& options) : Logging(clock, options, openTarget) {}

Logging::Logging(const Clock& clock, const Options& options, OpenTarget openTarget)
    : openTarget_(std::move(openTarget)),
      pool_(std::make_shared<spdlog::details::thread_pool>(queuedLines, 1)) {
    const auto opened = openTarget_(options);
    if (!opened) {
        throw std::runtime_error(
            fmt::format("the log file {} cannot be opened: {}", options.file.string(), opened.error().text));
    }
    sink_ = std::make_shared<TargetSink>(clock, *opened);
    logger_ = std::make_shared<spdlog::async_logger>("crnpd", sink_, pool_,
                                                     spdlog::async_overflow_policy::overrun_oldest);
    logger_->set_level(options.level);
    spdlog::set_default_logger(logger_);
}

Logging::~Logging() {
    sumUp();
    // Whoever logs from now on logs to nowhere.
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("none"));
    // The pool's end waits for the last line, without limit if it hangs in its target. So it ends on a thread
    // of its own, which is left behind then.
    try {
        std::promise<void> written;
        auto end = written.get_future();
        std::thread last([pool = std::move(pool_), written = std::move(written)]() mutable {
            pool.reset();
            written.set_value();
        });
        if (end.wait_for(lastWait) == std::future_status::ready) {
            last.join();
        } else {
            last.detach();
        }
    } catch (const std::exception&) {  // no thread any more: this one waits
    }
}

void Logging::apply(const Options& options) {
    const auto opened = openTarget_(options);
    if (!opened) {
        log(msg::logNotReopened, options.file.string(), opened.error().text);
        return;
    }
    sink_->setTarget(*opened);
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
