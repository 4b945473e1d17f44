// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// One event-loop thread that takes registrations: accepts, reads, has them decided, replies, closes.
//
// Threads    The public methods are called from the main thread (or, statistics(), from any) and take
//            effect on the worker's own. Submit is called on the worker's thread; the decision may come
//            on any.
// Ownership  The worker owns its connections. What Shared points to outlives it.
// Errors     Out of memory closes the connection it happens with and nothing else; a socket that cannot be
//            watched is tried again with every sweep. The log says so.
// Stopping   stopTaking() accepts and reads what has arrived, refuses what is incomplete with RETRY, answers
//            what is being decided and then lets join() return. Decisions must keep coming meanwhile.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/xml/registration_reader.h"
#include "server/access/access.h"
#include "server/exchange/exchange.h"
#include "server/intake/occupancy.h"
#include "server/net/listener.h"
#include "server/net/loop.h"

namespace crnpd::intake {

class Session;

struct WorkerSettings {
    std::size_t messageBytes = 1048576;
    std::chrono::milliseconds messageTime = std::chrono::seconds{30};  // for the whole message
    std::size_t registrationsPerClient = 1000;
};

// Has a request decided, which came from `peer` to our address `local`. `decided` may be called on any
// thread, once.
using Submit = std::function<void(const IpAddress& peer, const IpAddress& local, RegistrationMessage,
                                  exchange::Decider::Decided decided)>;

// How many replies of each code were given, in the order of StatusCode, and how many connections got none.
struct Statistics {
    std::array<std::uint64_t, 9> replies{};
    std::uint64_t unanswered = 0;
};

// What all workers use together.
struct Shared {
    const Clock& clock;
    const xml::Runtime& xml;
    Occupancy& occupancy;
    exchange::MemoryBudget& memory;
    Submit submit;
};

class Worker final : private exchange::Decider {
public:
    using AccessPtr = std::shared_ptr<const access::AccessList>;
    using Sockets = std::vector<std::shared_ptr<net::ListenSocket>>;

    // How long a peer that is still sending after its reply is listened to.
    static constexpr std::chrono::milliseconds drainTime = std::chrono::seconds{5};
    // The same while stopping.
    static constexpr std::chrono::milliseconds lastDrainTime = std::chrono::seconds{1};

    Worker(const Shared& shared, const WorkerSettings& settings, AccessPtr access);
    ~Worker() override;

    void listen(Sockets sockets);
    void setAccess(AccessPtr access);
    void setSettings(const WorkerSettings& settings);
    // Answers on the worker's thread as soon as it comes to it: shows that the loop goes round.
    void ping(net::Callback answer);

    void stopTaking();
    void join();

    [[nodiscard]] Statistics statistics() const;

private:
    friend class Session;
    using Sessions = std::list<std::unique_ptr<Session>>;
    // A message that waits for the end of the loop's turn.
    struct Asked {
        IpAddress peer;
        IpAddress local;
        RegistrationMessage message;
        Decided decided;
    };
    static constexpr std::chrono::milliseconds sweepTime{100};

    void decide(const IpAddress& peer, const IpAddress& local, RegistrationMessage message,
                Decided decided) override;

    void submitAsked();
    void submit(Asked& asked);
    void watchSockets();
    void onConnection(UniqueFd fd, const SocketAddress& peer) noexcept;
    void admit(Session& session);
    void sweep();
    void refuseLateMessages(SteadyTime now);
    void refuseUnfinished();
    void closeDrained(SteadyTime now);
    void finishIfIdle();
    void beginStopping();

    // Called by sessions.
    void count(const exchange::Answer& answer) noexcept;
    void drain(Session& session);
    void onDrained(Session& session);
    void retire(Session& session);
    static void move(Session& session, Sessions& to);

    const Shared& shared_;
    WorkerSettings settings_;
    AccessPtr access_;
    xml::RegistrationReader reader_;
    exchange::Tools tools_;
    std::vector<char> buffer_;  // every connection of this loop reads into it
    net::Loop loop_;
    net::Timer sweep_;
    std::vector<Asked> asked_;
    net::EndOfTurn endOfTurn_;
    std::vector<std::unique_ptr<net::Acceptor>> acceptors_;
    Sockets unwatched_;  // still without an acceptor

    // Each oldest first.
    Sessions open_;      // reading or being decided
    Sessions draining_;  // replied; the peer may still be sending
    Sessions retired_;   // closed; freed when none of their functions is running
    bool stopping_ = false;

    std::array<std::atomic<std::uint64_t>, 9> replies_{};
    std::atomic<std::uint64_t> unanswered_{0};
    std::thread thread_;
};

}  // namespace crnpd::intake
