// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Drives this node's role: campaigns, reads the registrations when it is elected, hands them to whoever
// serves clients, and gives leadership back in an orderly way.
//
// Promise    The store is opened after the election, for its term, and closed before the resignation. What
//            this node must not do once it is superseded the store refuses (its term is in every commit), so
//            losing the leadership at any moment is harmless.
// Failure    A store that cannot be reached, or leadership lost on the way: stands by and campaigns again. A
//            store that cannot be used as it is, or duties that cannot be taken: ends, and onEnd() says why.
// Threads    Runs on a thread of its own, which also calls Duties. Everything else is for any thread.
#pragma once

#include <chrono>
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

enum class Manner {
    inOrder,     // we still lead: finish what was begun
    superseded,  // we do not: nothing that we begin would succeed
};

// What being the active server means.
class Duties {
public:
    virtual ~Duties() = default;

    // Starts to serve clients with what `store` holds. `store` lives until stepDown() has returned.
    [[nodiscard]] virtual Result<void> takeOver(store::Term term, store::RegistrationStore& store,
                                                Snapshot snapshot) = 0;
    // Takes nothing new and lets go of the store; called after every takeOver(). What was received is
    // answered, or, where another server leads by now, left as it is.
    virtual void stepDown(Manner manner) = 0;
    // Failover ends: after stop() without an error, or because this node can never become active as things
    // are. The last call.
    virtual void onEnd(const std::optional<Error>& fault) = 0;
};

class Failover {
public:
    using OpenStore = std::function<std::unique_ptr<store::RegistrationStore>(store::Term)>;

    // How long others may take to be elected after a hand-over before this node campaigns again.
    static constexpr std::chrono::milliseconds handOverTime{5000};
    // Between two attempts to read a store that cannot be reached.
    static constexpr std::chrono::milliseconds pause{1000};

    // All must outlive it. `storeName` is for messages.
    Failover(store::Election& election, OpenStore openStore, std::string storeName, Duties& duties,
             const Clock& clock);
    ~Failover();
    Failover(const Failover&) = delete;
    Failover& operator=(const Failover&) = delete;

    void start();
    // Asks it to step down and end. Does not wait: onEnd() tells.
    void stop(const std::string& reason);
    // Leadership was lost: steps down and campaigns again.
    void lose(const std::string& reason);
    // Steps down in good order and lets others be elected first. busy: this node does not lead.
    Result<void> handOver(const std::string& reason);
    void join();

    [[nodiscard]] RoleState::Now role() const { return role_.now(); }
    [[nodiscard]] store::Term term() const;
    [[nodiscard]] std::string leader() const { return election_.leader(); }
    // Why this node is not active, in words; empty where it is.
    [[nodiscard]] std::string whyNotActive() const;

private:
    // Why a leadership ends.
    struct Ending {
        Manner manner = Manner::inOrder;
        std::string reason;
        bool letOthers = false;
    };

    void run(const std::stop_token& stop);
    [[nodiscard]] std::optional<Error> lead(store::Term term, const std::stop_token& stop);
    [[nodiscard]] Result<void> takeOver(store::Term term);
    [[nodiscard]] Result<Snapshot> load(store::RegistrationStore& store) const;
    void leave(Manner manner);
    void end(Ending ending);
    [[nodiscard]] Ending waitUntilOver(const std::stop_token& stop);
    void letOthersLead(const std::stop_token& stop);
    void waitFor(std::chrono::milliseconds time, const std::stop_token& stop,
                 const std::function<bool()>& over);

    store::Election& election_;
    OpenStore openStore_;
    std::string storeName_;
    Duties& duties_;
    const Clock& clock_;
    RoleState role_;
    std::unique_ptr<store::RegistrationStore> store_;  // this and the next are the failover thread's
    bool served_ = false;

    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::optional<Ending> ending_;
    std::string stopReason_;
    store::Term term_ = 0;

    std::jthread thread_;
};

}  // namespace crnpd::failover
