// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// One leadership: keeps its lease alive, and notices when it ends.
//
// Promise    `lost` is called once, as soon as the lease may have run out (counted from when the last
//            keep-alive that succeeded was sent), is not there any more, or the leader's key is not ours any
//            more; also when this cannot be watched any longer (no memory). Never after the destructor has
//            returned. If `lost` throws it is called again a little later. The Hold says so from that
//            moment on, whether or not one of the threads has come to it yet: also in a process that was
//            paused, with the first question that it asks.
// Threads    Three of its own, `lost` is called on one of them; it must not destroy the tenure. The
//            destructor waits for an attempt that is under way.
// Errors     The constructor throws if the threads cannot be had; nothing keeps the lease alive then.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "common/clock.h"
#include "server/etcd/key_value.h"
#include "server/etcd/keys.h"
#include "server/etcd/leases.h"
#include "server/store/election.h"

namespace crnpd::etcd {

class Tenure {
public:
    struct Lease {
        LeaseId id = 0;
        std::chrono::milliseconds time{3000};
        SteadyTime sent{};  // when it was asked for, or last kept alive
    };
    using Lost = std::function<void(const std::string& reason)>;

    // Whether the leadership is certainly ours. May be asked on any thread, without waiting, and when the
    // tenure is gone; the clock must outlive it.
    class Hold {
    public:
        explicit Hold(const Clock& clock) noexcept : clock_(clock) {}

        [[nodiscard]] bool isCertain() const noexcept { return !isOver_ && clock_.steady() < until_.load(); }

    private:
        friend class Tenure;

        const Clock& clock_;
        std::atomic<SteadyTime> until_{SteadyTime::min()};  // the lease runs out no earlier
        std::atomic<bool> isOver_{false};
    };

    // All references must outlive it. `as of` is the revision at which the key was ours.
    Tenure(KeyValue& etcd, Leases& leases, Watches& watches, const Clock& clock, Keys keys, store::Term term,
           Revision asOf, Lease lease, Lost lost);
    ~Tenure();
    Tenure(const Tenure&) = delete;
    Tenure& operator=(const Tenure&) = delete;

    [[nodiscard]] store::Term term() const noexcept { return term_; }
    [[nodiscard]] LeaseId lease() const noexcept { return lease_; }
    [[nodiscard]] std::shared_ptr<const Hold> hold() const noexcept { return hold_; }

private:
    // To be called with the lock held, if there are threads already.
    void keptAt(SteadyTime sent) noexcept;
    void keepAlive();
    void watchTime();
    void watchKey();
    // After changes were compacted away unseen: the revision from which to go on, unless it is lost.
    [[nodiscard]] Revision lookAgain(Revision from);
    // What a thread does. What it throws costs the leadership.
    void run(void (Tenure::*body)()) noexcept;
    void lose(std::string_view reason) noexcept;
    [[nodiscard]] bool tell(std::string_view reason) noexcept;

    KeyValue& etcd_;
    Leases& leases_;
    Watches& watches_;
    const Clock& clock_;
    const Keys keys_;
    const store::Term term_;
    const Revision asOf_;
    const LeaseId lease_;
    const std::chrono::milliseconds time_;
    const Lost lost_;
    const std::shared_ptr<Hold> hold_;

    std::mutex mutex_;
    std::condition_variable_any kept_;
    SteadyTime sent_{};    // this and the next guarded by mutex_
    std::string trouble_;  // why the last keep-alive failed

    std::stop_source stop_;
    std::jthread keeper_;
    std::jthread timer_;
    std::jthread watcher_;
};

}  // namespace crnpd::etcd
