// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What an operator can ask of a running server. The server implements it; the control socket speaks it.
//
// Threads    Any; calls may block for as long as a commit takes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/message.h"
#include "common/record.h"
#include "common/result.h"

namespace crnpd::control {

struct RoleAnswer {
    std::string role;
    std::string reason;  // why it has this role
    std::uint64_t term = 0;
    std::string leader;  // who is active while this server is not, if known
    std::string why;     // why this server is not active; empty where it is
};

struct Status {
    RoleAnswer role;
    std::string storeKind;
    std::string storePath;
    std::uint64_t revision = 0;
    std::uint64_t clients = 0;
    std::uint64_t removals = 0;  // remembered
    std::uint64_t connections = 0;
    std::vector<std::string> listen;
    std::uint64_t uptimeSeconds = 0;
    std::map<std::string, std::uint64_t> replies;  // by status code, since this server became active
};

struct ClientSummary {
    CallbackAddress client;
    std::size_t registrations = 0;
};

// How far the delivery to one client is.
struct Progress {
    struct Attempt {
        WallTime at{};
        Sequence sequence = 0;  // the event's
        std::string result;     // "delivered", or why not
    };

    Sequence position = 0;          // it has everything up to here
    std::size_t waiting = 0;        // events, about
    unsigned failures = 0;          // in a row
    bool isUnderWay = false;        // an attempt
    bool isGivenUp = false;         // its removal is being committed
    std::vector<Attempt> attempts;  // the last ones, oldest first; none while it has everything
    std::optional<std::chrono::milliseconds> nextIn;  // until the next attempt, if it waits for one
};

struct ClientDetails {
    CallbackAddress client;
    std::uint64_t id = 0;
    std::vector<EventRegistration> events;
    IpAddress via{};                   // the address of this server that events come from; 0.0.0.0: not known
    Sequence head = 0;                 // the last number that was given
    std::optional<Progress> progress;  // nothing: the delivery did not answer in time
};

// An event, by how many clients it is wanted, and how many of them have it.
struct EventSummary {
    Sequence sequence = 0;
    std::shared_ptr<const Event> event;
    std::size_t wanted = 0;
    std::size_t delivered = 0;
};

struct Events {
    Sequence head = 0;  // the last number that was given, to an event or a registration
    Sequence mark = 0;  // everybody has everything up to here, but the laggards
    std::size_t laggards = 0;
    std::size_t behind = 0;          // clients that do not have everything
    std::vector<EventSummary> last;  // ascending
};

struct AccessAnswer {
    bool allowed = false;
    std::string list;     // "allow_hosts", "deny_hosts"; empty where no entry matches
    std::string entry;    // as written in the settings
    std::string network;  // the connected network, where the entry is LOCAL
    std::string text;     // the same in words
};

struct Dump {
    Snapshot rows;
    WallTime made{};
};

// Errors: notFound, busy (not the active server), io (the committer does not answer in time).
class Operations {
public:
    virtual ~Operations() = default;

    // Does not wait for anybody.
    virtual RoleAnswer role() = 0;
    virtual Status status() = 0;
    // Begins to hand over to another server; role() tells how it goes on. busy: this one is not active.
    virtual Result<void> stepDown() = 0;
    virtual Result<std::vector<ClientSummary>> clients() = 0;  // by address
    virtual Result<ClientDetails> client(const CallbackAddress& address) = 0;
    // The reply that the client's own REMOVE_CLIENT would have got.
    virtual Result<Reply> remove(const CallbackAddress& address) = 0;
    virtual AccessAnswer access(const IpAddress& address) = 0;
    // The number of the event, once it is durable (source/publisher.h). An empty vendor is the setting's.
    // Busy, too, where a standby has no way to the active server.
    virtual Result<Sequence> publish(Event event) = 0;
    // The last events, at most so many.
    virtual Result<Events> events(std::size_t most) = 0;
    // Everything that is known, as of one revision.
    virtual Result<Dump> dump() = 0;
    // Whether a restore can begin. io: clients are registered here.
    virtual Result<void> mayRestore() = 0;
    // Puts `rows`, which are unique by address and by id, into a store without clients: all or nothing, and
    // durable when it returns. Takes as long as it takes, and calls `stillWorking` now and then meanwhile.
    // invalidArgument: the settings do not allow as much.
    virtual Result<void> restore(Snapshot rows, const std::function<void()>& stillWorking) = 0;
};

}  // namespace crnpd::control
