// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What exists only while this server is active: the committer over the store, the delivery of events, the
// workers and the sockets they listen on.
//
// Threads    Made and destroyed by the failover thread; everything else may be called from any thread in
//            between (the members are thread-safe, the sockets have a lock).
// Stopping   stop() takes nothing new, sends no more events, answers what was received, waits for it and
//            lets go of the store; abandon() before it lets the answer be RETRY, or none, because another
//            server leads. Whoever still holds the object after that gets refusals from the committer.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/xml/runtime.h"
#include "server/access/access.h"
#include "server/commit/committer.h"
#include "server/config/settings.h"
#include "server/delivery/delivery.h"
#include "server/delivery/ledger.h"
#include "server/intake/worker.h"
#include "server/service/pulse.h"
#include "server/store/election.h"

namespace crnpd {

class Serving final : private delivery::Ledger {
public:
    using AccessPtr = intake::Worker::AccessPtr;

    // `stillLeading` is asked before anything is sent to a client (Delivery).
    Serving(const Clock& clock, const xml::Runtime& xml, store::RegistrationStore& store, Snapshot snapshot,
            const config::Settings& settings, const AccessPtr& access, commit::Committer::Options options,
            store::Election::StillLeading stillLeading);
    ~Serving() override;
    Serving(const Serving&) = delete;
    Serving& operator=(const Serving&) = delete;

    void stop();
    void abandon();

    // Listens on these addresses and on no others. All or nothing.
    [[nodiscard]] Result<void> listen(const std::vector<SocketAddress>& addresses);
    // As it came about: with the port that 0 became.
    [[nodiscard]] std::vector<SocketAddress> listening() const;

    // Takes over the settings that can change while clients are served; listen() is apart.
    void apply(const config::Settings& settings);
    void setAccess(const AccessPtr& access);

    [[nodiscard]] commit::Committer& committer() noexcept { return committer_; }
    [[nodiscard]] delivery::Delivery& delivery() noexcept { return delivery_; }
    [[nodiscard]] std::size_t connections() const noexcept { return occupancy_.connections(); }
    [[nodiscard]] intake::Statistics statistics() const;
    // The threads that must make progress.
    [[nodiscard]] std::vector<service::Pulse::Member> members();

private:
    using Sockets = intake::Worker::Sockets;

    [[nodiscard]] Result<Sockets> socketsFor(const std::vector<SocketAddress>& addresses) const;
    void closeSockets();
    void submit(const IpAddress& peer, const IpAddress& local, RegistrationMessage message,
                exchange::Decider::Decided decided);

    // Ledger, on the delivery's thread.
    void remove(const CallbackAddress& client, NewsNumber heard, std::function<void(Removal)> done) override;
    void keep(MarkRecord mark, std::vector<Sequence> released, std::function<void(bool kept)> done) override;

    delivery::Delivery delivery_;  // before the committer, which tells it what was committed to its end
    commit::Committer committer_;
    intake::Occupancy occupancy_;
    exchange::MemoryBudget memory_;
    intake::Shared shared_;
    std::vector<std::unique_ptr<intake::Worker>> workers_;
    mutable std::mutex socketsMutex_;
    Sockets sockets_;
    bool stopped_ = false;
};

}  // namespace crnpd
