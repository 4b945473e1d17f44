// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "common/registration_codec.h"
#include "server/registry/registry.h"

namespace crnpd::registry {
namespace {

std::string keyOf(const EventRegistration& registration) {
    return encodeRegistrations({&registration, 1});
}

// Event registrations in the order in which they were first added. Compared by their stored form, so
// that a long list costs no more than its length.
class UniqueRegistrations {
public:
    void add(const EventRegistration& registration) {
        if (keys_.insert(keyOf(registration)).second) list_.push_back(registration);
    }
    [[nodiscard]] const std::vector<EventRegistration>& list() const { return list_; }

private:
    std::unordered_set<std::string> keys_;
    std::vector<EventRegistration> list_;
};

// What a REMOVE_EVENTS message names: with pairs one registration, without pairs all of a class and
// subclass, without subclass all of a class.
class Removals {
public:
    explicit Removals(const std::vector<EventRegistration>& named) {
        for (const auto& registration : named) {
            if (!registration.pairs.empty()) {
                exact_.insert(keyOf(registration));
            } else if (registration.subclass) {
                types_.insert(keyOf(registration));
            } else {
                classes_.insert(registration.eventClass);
            }
        }
    }

    [[nodiscard]] bool name(const EventRegistration& registration) const {
        if (classes_.contains(registration.eventClass)) return true;
        if (!types_.empty() && types_.contains(keyOf({registration.eventClass, registration.subclass, {}})))
            return true;
        return !exact_.empty() && exact_.contains(keyOf(registration));
    }

private:
    std::unordered_set<std::string> exact_;
    std::unordered_set<std::string> types_;
    std::unordered_set<std::string> classes_;
};

std::string counted(std::size_t number, std::string_view what) {
    return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

Change changeTo(const CallbackAddress& address, const Entry& entry) {
    if (entry.isClient()) return ClientRecord{entry.id, address, entry.registrations};
    return RemovalRecord{entry.id, address, *entry.removedAt};
}

}  // namespace

Staging::Staging(const Registry& base) : base_(base), clients_(base.clients_), lastId_(base.lastId_) {}

const Entry* Staging::find(const CallbackAddress& address) const {
    const auto staged = entries_.find(address);
    if (staged == entries_.end()) return base_.find(address);
    return staged->second ? &*staged->second : nullptr;
}

bool Staging::isStaged(const CallbackAddress& address) const {
    return entries_.contains(address);
}

// A clock that was set back makes a removal younger than none: it stays remembered.
const Entry* Staging::remembered(const Entry* entry, WallTime now) const {
    if (entry == nullptr || entry->isClient()) return entry;
    return now - *entry->removedAt < base_.rules_.removalMemory ? entry : nullptr;
}

Decision Staging::decide(const Request& request, WallTime now) {
    const Entry* const known = find(request.client);
    if (request.type == RegistrationType::addClient) return addClient(request, known);

    const Entry* const entry = remembered(known, now);
    if (entry != nullptr && entry->isClient()) {
        switch (request.type) {
            case RegistrationType::addEvents:
                return addEvents(request, *entry);
            case RegistrationType::removeEvents:
                return removeEvents(request, *entry);
            default:
                return removeClient(request, *entry, now);
        }
    }
    if (entry != nullptr && request.type == RegistrationType::removeClient) {
        return settled(request.client,
                       {StatusCode::ok, fmt::format("client {} was removed before", request.client.text())},
                       0);
    }
    return settled(request.client,
                   {StatusCode::fail, fmt::format("{}: no client is registered at {}; send ADD_CLIENT first",
                                                  name(request.type), request.client.text())},
                   0);
}

Decision Staging::addClient(const Request& request, const Entry* known) {
    const bool isNew = known == nullptr || !known->isClient();
    if (isNew && clients_ >= base_.rules_.maxClients) {
        Decision refusal{
            {StatusCode::lowResource, fmt::format("{} are registered, which is as many as max_clients allows",
                                                  counted(clients_, "client"))},
            0,
            clientsChanged_ || isStaged(request.client)};
        return refusal;
    }
    UniqueRegistrations events;
    for (const auto& event : request.events)
        events.add(event);
    return store(request.client, known, events.list(), "registered");
}

Decision Staging::addEvents(const Request& request, const Entry& client) {
    UniqueRegistrations events;
    if (const auto current = decodeRegistrations(client.registrations)) {
        for (const auto& event : *current)
            events.add(event);
    }
    for (const auto& event : request.events)
        events.add(event);
    return store(request.client, &client, events.list(), "events added");
}

Decision Staging::removeEvents(const Request& request, const Entry& client) {
    const Removals removals(request.events);
    std::vector<EventRegistration> kept;
    if (auto current = decodeRegistrations(client.registrations)) {
        for (auto& event : *current) {
            if (!removals.name(event)) kept.push_back(std::move(event));
        }
    }
    return store(request.client, &client, kept, "events removed");
}

Decision Staging::removeClient(const Request& request, const Entry& client, WallTime now) {
    put(request.client, RemovalRecord{client.id, request.client, now});
    --clients_;
    clientsChanged_ = true;
    return {{StatusCode::ok, fmt::format("client {} removed", request.client.text())}, 0, true};
}

Decision Staging::store(const CallbackAddress& address, const Entry* known,
                        const std::vector<EventRegistration>& events, std::string_view done) {
    const auto& rules = base_.rules_;
    if (events.size() > rules.registrationsPerClient) {
        return settled(address,
                       {StatusCode::lowResource,
                        fmt::format("{} would be more than registrations_per_client, {}",
                                    counted(events.size(), "registration"), rules.registrationsPerClient)},
                       0);
    }
    auto record = encodeRegistrations(events);
    if (record.size() > rules.bytesPerClient) {
        return settled(address,
                       {StatusCode::lowResource,
                        fmt::format("the registrations of one client would take {} bytes, more than {}",
                                    record.size(), rules.bytesPerClient)},
                       0);
    }
    Reply ok{StatusCode::ok, fmt::format("client {} {}: {} in all", address.text(), done,
                                         counted(events.size(), "registration"))};
    const bool wasClient = known != nullptr && known->isClient();
    // The same content again, as after a lost reply, is durable already.
    if (wasClient && known->registrations == record) return settled(address, std::move(ok), events.size());

    const RecordId id = known != nullptr ? known->id : ++lastId_;
    if (!wasClient) {
        ++clients_;
        clientsChanged_ = true;
    }
    put(address, ClientRecord{id, address, std::move(record)});
    return {std::move(ok), events.size(), true};
}

Decision Staging::settled(const CallbackAddress& address, Reply reply, std::size_t registrations) const {
    return {std::move(reply), registrations, isStaged(address)};
}

std::size_t Staging::bytesAtMost(const Request& request) const {
    const Entry* const known = find(request.client);
    return (known == nullptr ? 0 : known->registrations.size()) + encodedBytesAtMost(request.events);
}

void Staging::put(const CallbackAddress& address, Change change) {
    std::optional<Entry> entry;
    if (auto* record = std::get_if<ClientRecord>(&change)) {
        bytes_ += record->registrations.size();
        entry = Entry{record->id, std::move(record->registrations), std::nullopt};
    } else if (const auto* removal = std::get_if<RemovalRecord>(&change)) {
        entry = Entry{removal->id, {}, removal->removedAt};
    }
    if (entries_.insert_or_assign(address, std::move(entry)).second) touched_.push_back(address);
}

void Staging::forgetOldRemovals(WallTime now, std::size_t most) {
    for (const auto& removal : base_.removals_) {
        if (most == 0 || now - removal.at < base_.rules_.removalMemory) return;
        --most;
        if (isStaged(removal.client) || !base_.isTrue(removal)) continue;
        put(removal.client, ForgottenRecord{0, removal.client});
    }
}

std::vector<Change> Staging::changes() const {
    std::vector<Change> changes;
    changes.reserve(touched_.size());
    for (const auto& address : touched_) {
        const auto& entry = entries_.at(address);
        changes.push_back(entry ? changeTo(address, *entry)
                                : ForgottenRecord{base_.find(address)->id, address});
    }
    return changes;
}

void adopt(Registry& registry, Staging&& staging) {
    for (const auto& address : staging.touched_) {
        auto& entry = staging.entries_.at(address);
        if (entry && entry->isClient()) {
            registry.apply(ClientRecord{entry->id, address, std::move(entry->registrations)});
        } else if (entry) {
            registry.apply(RemovalRecord{entry->id, address, *entry->removedAt});
        } else {
            registry.apply(ForgottenRecord{0, address});
        }
    }
    registry.clients_ = staging.clients_;
    registry.lastId_ = staging.lastId_;
    registry.dropStaleRemovals();
}

}  // namespace crnpd::registry
