// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/retry_schedule.h"

#include <algorithm>
#include <cmath>

namespace crnpd::delivery {

std::chrono::milliseconds retryOffset(const RetryRules& rules, unsigned attempt) {
    if (attempt == 0) return std::chrono::milliseconds{0};
    if (attempt + 1 >= rules.count) return rules.interval;
    const std::chrono::duration<double> interval = rules.interval;
    const double part = static_cast<double>(attempt) / static_cast<double>(rules.count - 1);
    const std::chrono::duration<double> offset{std::pow(interval.count(), part)};
    return std::min(std::chrono::round<std::chrono::milliseconds>(offset), rules.interval);
}

SteadyTime RetrySchedule::due(const RetryRules& rules) const {
    return failures_ == 0 ? SteadyTime::min() : first_ + retryOffset(rules, failures_);
}

void RetrySchedule::started(SteadyTime now) {
    if (failures_ == 0) first_ = now;
    underWay_ = true;
    outdated_ = false;
}

RetrySchedule::Verdict RetrySchedule::failed(const RetryRules& rules) {
    underWay_ = false;
    if (outdated_) return Verdict::tryAgain;
    ++failures_;
    return failures_ < rules.count ? Verdict::tryAgain : Verdict::giveUp;
}

void RetrySchedule::succeeded() {
    *this = {};
}

void RetrySchedule::heard() {
    failures_ = 0;
    outdated_ = underWay_;
}

}  // namespace crnpd::delivery
