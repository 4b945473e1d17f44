// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What an operator can ask of a running server. The server implements it; the control socket speaks it.
//
// Threads    Any; calls may block for as long as a commit takes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
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

struct ClientDetails {
    CallbackAddress client;
    std::uint64_t id = 0;
    std::vector<EventRegistration> events;
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
