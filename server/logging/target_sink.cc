// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/logging/target_sink.h"

#include <utility>

namespace crnpd::logging {

void TargetSink::setTarget(std::shared_ptr<LogTarget> target) {
    const std::scoped_lock lock(mutex_);
    target_.swap(target);
}

void TargetSink::log(const spdlog::details::log_msg& message) {
    const auto target = [this] {
        const std::scoped_lock lock(mutex_);
        return target_;
    }();
    if (!target->write(message)) lost_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace crnpd::logging
