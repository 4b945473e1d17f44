// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The rules of the protocol (section 4 of docs/protocol.md) as a state machine in memory: a request in,
// a decision and perhaps a change out.
//
// Truth      The registry holds what was committed and nothing else. Requests are decided on a Staging
//            layer above it; once the store has committed the layer's changes, adopt() makes them the
//            state; a layer that was not committed is simply dropped.
// Threads    One: the committer's. No locks, no I/O, no clock: the time is an input.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/address.h"
#include "common/message.h"
#include "common/record.h"

namespace crnpd::registry {

struct Rules {
    std::size_t maxClients = 1000;
    std::size_t registrationsPerClient = 1000;
    // Of one client in their stored form. Bounds what many small ADD_EVENTS can pile up.
    std::size_t bytesPerClient = 1048576;
    std::chrono::milliseconds removalMemory = std::chrono::hours{24};
};

struct Request {
    CallbackAddress client;
    RegistrationType type = RegistrationType::addClient;
    std::vector<EventRegistration> events;  // each normalize()d
};

struct Decision {
    Reply reply;
    std::size_t registrations = 0;  // the client's, after this request
    // The decision rests on the staging layer (this request, or an earlier one of the same layer that
    // touched this client or the number of clients, changes something): it stands only once the layer
    // is committed.
    bool provisional = false;
};

// What is known of one address: a client, or the memory of a removal.
struct Entry {
    RecordId id = 0;
    std::string registrations;          // a client's, in stored form; empty for a removal
    std::optional<WallTime> removedAt;  // set for a removal

    [[nodiscard]] bool isClient() const noexcept { return !removedAt.has_value(); }
};

class Staging;

class Registry {
public:
    explicit Registry(const Rules& rules) : rules_(rules) {}

    // Applies from the next request on. Clients above a lowered limit stay.
    void setRules(const Rules& rules) { rules_ = rules; }

    // Replaces the whole state by what a store holds.
    void load(Snapshot snapshot);

    [[nodiscard]] std::size_t clients() const noexcept { return clients_; }
    [[nodiscard]] std::size_t removals() const noexcept { return entries_.size() - clients_; }

    // Null for an address that is no registered client.
    [[nodiscard]] const Entry* client(const CallbackAddress& address) const;
    // Sorted. For listings, which then ask for one client after the other.
    [[nodiscard]] std::vector<CallbackAddress> clientAddresses() const;
    // Everything that is known, in no order and without the head. Takes 0.3 s for a million clients.
    [[nodiscard]] Snapshot snapshot() const;
    // What takes everything that is known away again.
    [[nodiscard]] std::vector<Change> forgettingAll() const;

private:
    friend class Staging;
    friend void adopt(Registry& registry, Staging&& staging);

    // A removal in the order in which it will be forgotten.
    struct Removal {
        WallTime at;
        CallbackAddress client;
    };

    [[nodiscard]] const Entry* find(const CallbackAddress& address) const;
    void apply(Change&& change);
    [[nodiscard]] bool isTrue(const Removal& removal) const;
    void dropStaleRemovals();

    Rules rules_;
    std::unordered_map<CallbackAddress, Entry> entries_;
    std::size_t clients_ = 0;
    RecordId lastId_ = 0;
    // May hold removals that are no longer true (the client came back): the entry decides.
    std::deque<Removal> removals_;
};

// The requests of one batch, decided one after another above a registry that does not change meanwhile.
class Staging {
public:
    explicit Staging(const Registry& base);

    // Decides one request at the time `now`.
    Decision decide(const Request& request, WallTime now);

    // Adds the forgetting of up to `most` removals whose time is over.
    void forgetOldRemovals(WallTime now, std::size_t most);

    // At most one per client, in the order in which the clients were first touched.
    [[nodiscard]] std::vector<Change> changes() const;
    [[nodiscard]] std::size_t size() const noexcept { return touched_.size(); }
    // What the registrations in the changes take, at most.
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    // What deciding `request` would add to that, at most.
    [[nodiscard]] std::size_t bytesAtMost(const Request& request) const;

private:
    friend void adopt(Registry& registry, Staging&& staging);

    [[nodiscard]] const Entry* find(const CallbackAddress& address) const;
    [[nodiscard]] bool isStaged(const CallbackAddress& address) const;
    [[nodiscard]] const Entry* remembered(const Entry* entry, WallTime now) const;

    Decision addClient(const Request& request, const Entry* known);
    Decision addEvents(const Request& request, const Entry& client);
    Decision removeEvents(const Request& request, const Entry& client);
    Decision removeClient(const Request& request, const Entry& client, WallTime now);

    Decision store(const CallbackAddress& address, const Entry* known,
                   const std::vector<EventRegistration>& events, std::string_view done);
    Decision settled(const CallbackAddress& address, Reply reply, std::size_t registrations) const;
    void put(const CallbackAddress& address, Change change);

    const Registry& base_;
    std::size_t clients_;
    bool clientsChanged_ = false;
    RecordId lastId_;
    std::size_t bytes_ = 0;
    std::vector<CallbackAddress> touched_;
    // The new entry of a touched address; nothing where it was forgotten.
    std::unordered_map<CallbackAddress, std::optional<Entry>> entries_;
};

// Makes what was staged, and has been committed since, the state of the registry.
void adopt(Registry& registry, Staging&& staging);

}  // namespace crnpd::registry
