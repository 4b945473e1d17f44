// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Drives this node's role: campaigns, reads the registrations when it is elected, hands them to whoever
// serves clients, and gives leadership back in an orderly way.
//
// Promise    Between a successful campaign and resign() nobody else uses the store. The store is opened after
//            the election and closed before the resignation.
// Threads    Runs on a thread of its own, which also calls Duties. start(), stop(), lose(), role() and
// leader()
//            are for any thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "common/clock.h"
#include "server/failover/role.h"
#include "server/store/election.h"
#include "server/store/registration_store.h"

namespace crnpd::failover {

// What being the active server means.
class Duties {
public:
    virtual ~Duties() = default;

    // Starts to serve clients with what `store` holds. `store` lives until stepDown() has returned.
    [[nodiscard]] virtual Result<void> takeOver(store::Term term, store::RegistrationStore& store,
                                                Snapshot snapshot) = 0;
    // Takes nothing new, answers what was received, lets go of the store. Called after every takeOver().
    virtual void stepDown() = 0;
    // Failover ends: after stop() without an error, or because this node can never become active as things
    // are. The last call.
    virtual void onEnd(const std::optional<Error>& fault) = 0;
};

class Failover {
public:
    using OpenStore = std::function<std::unique_ptr<store::RegistrationStore>()>;

    // All must outlive it. `storeName` is for messages.
    Failover(store::Election& election, OpenStore openStore, std::string storeName, Duties& duties,
             const Clock& clock);
    ~Failover();
    Failover(const Failover&) = delete;
    Failover& operator=(const Failover&) = delete;

    void start();
    // Asks it to step down and end. Does not wait: onEnd() tells.
    void stop(const std::string& reason);
    // Leadership was lost or is to be handed over: steps down and campaigns again.
    void lose(const std::string& reason);
    void join();

    [[nodiscard]] RoleState::Now role() const { return role_.now(); }
    [[nodiscard]] store::Term term() const;
    [[nodiscard]] std::string leader() const { return election_.leader(); }

private:
    void run(const std::stop_token& stop);
    [[nodiscard]] std::optional<Error> lead(store::Term term, const std::stop_token& stop);
    [[nodiscard]] Result<Snapshot> load(store::RegistrationStore& store) const;
    std::string waitUntilOver(const std::stop_token& stop);

    store::Election& election_;
    OpenStore openStore_;
    std::string storeName_;
    Duties& duties_;
    const Clock& clock_;
    RoleState role_;

    mutable std::mutex mutex_;
    std::condition_variable_any over_;
    std::optional<std::string> overReason_;  // why the leadership ends
    std::string stopReason_;
    store::Term term_ = 0;

    std::jthread thread_;
};

}  // namespace crnpd::failover
