// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The rules of the protocol (section 4 of docs/protocol.md) as a state machine in memory: a request in,
// a decision and perhaps a change out.
//
// Truth      The registry holds what was committed and nothing else. Requests are decided on a Staging
//            layer above it; once the store has committed the layer's changes, adopt() makes them the
//            state; a layer that was not committed is simply dropped.
// Numbers    Events, and messages that owe a client the current state, get ascending numbers in the order of
//            the decisions. Those of a layer that was dropped are given again: nobody was told.
// Threads    One: the committer's. No locks, no I/O, no clock: the time is an input.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/address.h"
#include "common/committed.h"
#include "common/message.h"
#include "common/record.h"
#include "server/registry/address_table.h"
#include "server/registry/text.h"

namespace crnpd::registry {

struct Rules {
    std::size_t maxClients = 1000;
    std::size_t registrationsPerClient = 1000;
    // Of one client in their stored form. Bounds what many small ADD_EVENTS can pile up.
    std::size_t bytesPerClient = 1048576;
    std::chrono::milliseconds removalMemory = std::chrono::hours{24};
    // Of one event in its stored form.
    std::size_t bytesPerEvent = 1048576;
};

struct Request {
    CallbackAddress client;
    RegistrationType type = RegistrationType::addClient;
    std::vector<EventRegistration> events;  // each normalize()d
    IpAddress via{};                        // the address of this server that it came to; 0.0.0.0: unknown
    std::shared_ptr<ReplyGate> gate{};      // handed on to those who deliver
};

struct Decision {
    Reply reply;
    std::size_t registrations = 0;  // the client's, after this request
    // The decision rests on the staging layer (this request, or an earlier one of the same layer that
    // touched this client or the number of clients, changes something): it stands only once the layer
    // is committed.
    bool provisional = false;
    Sequence sequence = 0;            // an event's
    std::optional<Committed> told{};  // what those who deliver have to hear, once it stands
};

// What is known of one address: a client, or the memory of a removal. There may be a million: the order of
// the members leaves no gaps.
struct Entry {
    RecordId id = 0;
    Text registrations;    // a client's, in stored form; empty for a removal
    WallTime removedAt{};  // of a removal
    Sequence joined = 0;   // as in ClientRecord
    Sequence added = 0;
    NewsNumber spoken = 0;        // of the last that was told of it; not stored
    AddressTable::Index via = 0;  // Registry::via() knows which
    bool isRemoval = false;

    [[nodiscard]] bool isClient() const noexcept { return !isRemoval; }
    [[nodiscard]] static Entry removal(RecordId id, WallTime at) {
        Entry entry;
        entry.id = id;
        entry.removedAt = at;
        entry.isRemoval = true;
        return entry;
    }
};

class Staging;

class Registry {
public:
    explicit Registry(const Rules& rules) : rules_(rules) {}

    // Applies from the next request on. Clients above a lowered limit stay.
    void setRules(const Rules& rules) { rules_ = rules; }

    // Replaces the whole state by what a store holds.
    void load(const Snapshot& snapshot);

    [[nodiscard]] std::size_t clients() const noexcept { return clients_; }
    [[nodiscard]] std::size_t removals() const noexcept { return entries_.size() - clients_; }

    [[nodiscard]] const Rules& rules() const noexcept { return rules_; }
    // The greatest number ever given, to a message or an event.
    [[nodiscard]] Sequence last() const noexcept { return last_; }

    // Gives what is about to be told its number. What it tells of must have been adopted.
    void number(Committed& news);

    // Null for an address that is no registered client.
    [[nodiscard]] const Entry* client(const CallbackAddress& address) const;
    // The address of this server to which the client's last message came.
    [[nodiscard]] const IpAddress& via(const Entry& entry) const { return vias_.at(entry.via); }
    // Sorted. For listings, which then ask for one client after the other.
    [[nodiscard]] std::vector<CallbackAddress> clientAddresses() const;
    // All clients and removals, in no order, and the last number; no events, no mark and no head. Takes 0.3 s
    // for a million clients.
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
    [[nodiscard]] ClientRecord recordOf(const CallbackAddress& address, const Entry& entry) const;
    [[nodiscard]] Entry entryOf(const ClientRecord& record);
    // Takes the place of what is known of that address; nothing: forgets it.
    void apply(const CallbackAddress& address, std::optional<Entry>&& entry);
    [[nodiscard]] bool isTrue(const Removal& removal) const;
    void dropStaleRemovals();

    Rules rules_;
    std::unordered_map<CallbackAddress, Entry> entries_;
    std::size_t clients_ = 0;
    RecordId lastId_ = 0;
    Sequence last_ = 0;
    NewsNumber lastNews_ = 0;
    NewsNumber reloaded_ = 0;  // the number of the last AllReloaded
    // No part of the state: what a layer that is dropped has brought into it does no harm.
    mutable AddressTable vias_;
    // May hold removals that are no longer true (the client came back): the entry decides.
    std::deque<Removal> removals_;
};

// The requests and events of one batch, decided one after another above a registry that does not change
// meanwhile.
class Staging {
public:
    // `tells`: decisions carry what those who deliver have to hear.
    explicit Staging(const Registry& base, bool tells = true);
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;
    Staging(Staging&&) = default;
    Staging& operator=(Staging&&) = delete;
    ~Staging() = default;

    // Decides one request at the time `now`.
    Decision decide(const Request& request, WallTime now);

    // Removes a client that cannot be reached, OK, if nothing was told of it, or will be by this layer, but
    // what whoever asks has heard; else FAIL, and nothing is changed: it was answered OK since, and an OK
    // holds.
    Decision evict(const CallbackAddress& client, NewsNumber heard, WallTime now);

    // Gives the event its number. `record` is its stored form, `post` the post it came by.
    Decision publish(std::shared_ptr<const Event> event, std::string record, std::optional<std::string> post);

    // Stores how far the delivery is, and deletes events that nobody needs.
    Decision keep(std::optional<MarkRecord> mark, const std::vector<Sequence>& released);

    // Adds the forgetting of up to `most` removals whose time is over.
    void forgetOldRemovals(WallTime now, std::size_t most);

    // At most one per client, in the order in which the clients were first touched.
    [[nodiscard]] std::vector<Change> changes() const;
    [[nodiscard]] const EventChanges& events() const noexcept { return events_; }
    // Operations that changes() and events() take of a store.
    [[nodiscard]] std::size_t size() const noexcept { return touched_.size() + events_.size(); }
    // What their registrations, events and marks take, at most.
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    // The client was given a number by this layer. A removal on top of it would take the number from the one
    // row that has it, and no store would know that it was given: the next leader would give it again.
    [[nodiscard]] bool hasNewNumber(const CallbackAddress& client) const;
    // What deciding `request` would add to bytes(), at most.
    [[nodiscard]] std::size_t bytesAtMost(const Request& request) const;
    [[nodiscard]] static std::size_t bytesOf(const MarkRecord& mark) noexcept;

private:
    friend void adopt(Registry& registry, Staging&& staging);

    [[nodiscard]] const Entry* find(const CallbackAddress& address) const;
    [[nodiscard]] bool isStaged(const CallbackAddress& address) const;
    [[nodiscard]] bool hasSpokenSince(const CallbackAddress& client, NewsNumber heard) const;
    [[nodiscard]] const Entry* remembered(const Entry* entry, WallTime now) const;

    using How = ClientChanged::How;

    Decision addClient(const Request& request, const Entry* known);
    Decision addEvents(const Request& request, const Entry& client);
    Decision removeEvents(const Request& request, const Entry& client);
    Decision removeClient(const CallbackAddress& address, const Entry& client, WallTime now,
                          bool evicted = false);

    // All that a client has registered for.
    struct Registrations {
        std::string record;
        std::size_t count = 0;
    };
    Decision store(const Request& request, const Entry* known, const Registrations& now, How how);
    // The entry that `request` makes of what was known.
    [[nodiscard]] Entry renewed(const Request& request, const Entry* known, std::string_view record, How how);
    [[nodiscard]] std::optional<Reply> tooMuch(std::size_t registrations, std::size_t bytes) const;
    [[nodiscard]] std::optional<Committed> changed(const Request& request, How how, const Entry& entry,
                                                   std::string before) const;
    Decision settled(const CallbackAddress& address, Reply reply, std::size_t registrations) const;
    void put(const CallbackAddress& address, std::optional<Entry> entry);

    const Registry& base_;
    const bool tells_;
    std::size_t clients_;
    bool clientsChanged_ = false;
    RecordId lastId_;
    Sequence last_;
    std::size_t bytes_ = 0;
    EventChanges events_;
    // The new entry of a touched address; nothing where it was forgotten.
    using Entries = std::unordered_map<CallbackAddress, std::optional<Entry>>;
    Entries entries_;
    std::vector<Entries::value_type*> touched_;  // in their order
    // Clients whose message changed nothing.
    std::unordered_set<CallbackAddress> heard_;
};

// Makes what was staged, and has been committed since, the state of the registry.
void adopt(Registry& registry, Staging&& staging);

}  // namespace crnpd::registry
