// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/intake/occupancy.h"

namespace crnpd::intake {

Occupancy::Occupancy(const ConnectionLimits& limits)
    : limit_(limits.connections), perAddress_(limits.perAddress) {}

void Occupancy::setLimits(const ConnectionLimits& limits) {
    const std::scoped_lock lock(mutex_);
    limit_ = limits.connections;
    perAddress_ = limits.perAddress;
}

bool Occupancy::hasRoom() const noexcept {
    return connections() < limit_.load(std::memory_order_relaxed);
}

bool Occupancy::entered(const IpAddress& peer) {
    const std::scoped_lock lock(mutex_);
    const auto here = ++byAddress_[peer];
    total_.fetch_add(1, std::memory_order_relaxed);
    return here <= perAddress_;
}

void Occupancy::left(const IpAddress& peer) noexcept {
    const std::scoped_lock lock(mutex_);
    total_.fetch_sub(1, std::memory_order_relaxed);
    const auto found = byAddress_.find(peer);
    if (--found->second == 0) byAddress_.erase(found);
}

}  // namespace crnpd::intake
