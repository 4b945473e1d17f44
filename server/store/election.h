// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Which process may use a store. Exactly one server is active (section 1 of docs/protocol.md); the
// others stand by and campaign. With the embedded store the election is a lock on the store's file, with a
// replicated store it is a key under a lease.
//
// Threads    campaign() blocks its caller; stillLeading() is for the same thread, every other method may be
//            called from any thread meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "common/result.h"

namespace crnpd::store {

// Counts leaderships: a later active server has a higher term.
using Term = std::uint64_t;

class Election {
public:
    Election() = default;
    virtual ~Election() = default;
    Election(const Election&) = delete;
    Election& operator=(const Election&) = delete;

    // Blocks until this process is elected. `cancelled` once `stop` is requested; any other error means
    // that it cannot ever be elected as things are (no such folder, no permission).
    [[nodiscard]] virtual Result<Term> campaign(std::stop_token stop) noexcept = 0;

    // Tells whether the leadership that campaign() has just returned is certainly ours at the moment of the
    // question; of that one also when it is over and another has begun. On any thread, without waiting. For
    // what nobody can take back and no store refuses.
    using StillLeading = std::function<bool()>;
    // Here for a leadership that nobody can take from a process that lives.
    [[nodiscard]] virtual StillLeading stillLeading() const {
        return [] { return true; };
    }

    // Gives the leadership up, if it is ours; somebody else is elected at once.
    virtual void resign() noexcept = 0;

    // Who leads while we do not, for the log and `crnpctl status`: "process 4711 on node1". Empty if
    // nobody or not known.
    [[nodiscard]] virtual std::string leader() const = 0;

    // What keeps this process from being elected, beyond somebody else who leads: "no member of etcd answers
    // (…)". Empty if nothing does.
    [[nodiscard]] virtual std::string obstacle() const { return {}; }

    // `lost` is called, on a thread of the election's, when a leadership of ours ends without resign(): the
    // lease ran out, somebody seized it. Once for each leadership at most. Set before the first campaign().
    virtual void onLoss(const std::function<void(const std::string& reason)>& /*lost*/) {}
};

}  // namespace crnpd::store
