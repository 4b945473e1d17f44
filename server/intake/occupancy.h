// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Who holds how many connections, over all loops (the limits of section 2 of docs/protocol.md).
//
// Threads    Any.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <unordered_map>

#include "common/address.h"

namespace crnpd::intake {

struct ConnectionLimits {
    std::size_t connections = 10000;
    std::size_t perAddress = 1000;
};

class Occupancy {
public:
    explicit Occupancy(const ConnectionLimits& limits);

    void setLimits(const ConnectionLimits& limits);

    // Whether one more connection may be accepted.
    [[nodiscard]] bool hasRoom() const noexcept;

    // Counts a connection in. False: its address has too many already; it is counted all the same, because
    // it must be answered, and left() counts it out.
    [[nodiscard]] bool entered(const IpAddress& peer);
    void left(const IpAddress& peer) noexcept;

    [[nodiscard]] std::size_t connections() const noexcept { return total_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::size_t> total_{0};
    std::atomic<std::size_t> limit_;
    mutable std::mutex mutex_;
    std::size_t perAddress_;
    std::unordered_map<IpAddress, std::size_t> byAddress_;
};

}  // namespace crnpd::intake
