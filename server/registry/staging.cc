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

// The record of event registrations in the order in which they were first added. Compared by their stored
// form, so that a long list costs no more than its length.
class UniqueRegistrations {
public:
    void add(const EventRegistration& registration) {
        std::string encoded;
        appendEncoded(encoded, registration);
        const auto [added, isNew] = all_.insert(std::move(encoded));
        if (isNew) inOrder_.push_back(&*added);
    }
    [[nodiscard]] std::size_t count() const { return inOrder_.size(); }
    [[nodiscard]] std::string record() const {
        auto record = encodeCount(count());
        for (const auto* registration : inOrder_)
            record += *registration;
        return record;
    }

private:
    std::unordered_set<std::string> all_;
    std::vector<const std::string*> inOrder_;
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

std::string_view done(ClientChanged::How how) {
    switch (how) {
        case ClientChanged::How::joined:
            return "registered";
        case ClientChanged::How::reduced:
            return "events removed";
        default:
            return "events added";
    }
}

// A laggard takes two numbers and what separates them.
constexpr std::size_t bytesPerLaggard = 42;

}  // namespace

Staging::Staging(const Registry& base, bool tells)
    : base_(base), tells_(tells), clients_(base.clients_), lastId_(base.lastId_), last_(base.last_) {}

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
    return now - entry->removedAt < base_.rules_.removalMemory ? entry : nullptr;
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
                return removeClient(request.client, *entry, now);
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
    return store(request, known, {events.record(), events.count()}, How::joined);
}

Decision Staging::addEvents(const Request& request, const Entry& client) {
    UniqueRegistrations events;
    if (const auto current = decodeRegistrations(client.registrations.view())) {
        for (const auto& event : *current)
            events.add(event);
    }
    for (const auto& event : request.events)
        events.add(event);
    return store(request, &client, {events.record(), events.count()}, How::added);
}

Decision Staging::removeEvents(const Request& request, const Entry& client) {
    const Removals removals(request.events);
    std::vector<EventRegistration> kept;
    if (auto current = decodeRegistrations(client.registrations.view())) {
        for (auto& event : *current) {
            if (!removals.name(event)) kept.push_back(std::move(event));
        }
    }
    return store(request, &client, {encodeRegistrations(kept), kept.size()}, How::reduced);
}

Decision Staging::removeClient(const CallbackAddress& address, const Entry& client, WallTime now,
                               bool evicted) {
    Decision removed{{StatusCode::ok, fmt::format("client {} removed", address.text())}, 0, true};
    if (tells_) removed.told = ClientLeft{client.id, address, evicted};
    put(address, Entry::removal(client.id, now));
    --clients_;
    clientsChanged_ = true;
    return removed;
}

Decision Staging::evict(const CallbackAddress& client, NewsNumber heard, WallTime now) {
    const Entry* const entry = find(client);
    if (entry != nullptr && entry->isClient() && !hasSpokenSince(client, heard))
        return removeClient(client, *entry, now, true);
    return settled(client, {StatusCode::fail, "the client has spoken since, or is gone"}, 0);
}

bool Staging::hasSpokenSince(const CallbackAddress& client, NewsNumber heard) const {
    if (isStaged(client) || heard_.contains(client) || base_.reloaded_ > heard) return true;
    const Entry* const entry = base_.find(client);
    return entry != nullptr && entry->spoken > heard;
}

Decision Staging::publish(std::shared_ptr<const Event> event, std::string record,
                          std::optional<std::string> post) {
    Decision published{{StatusCode::ok, "published"}, 0, true, ++last_};
    bytes_ += record.size() + (post ? post->size() : 0);
    events_.published.push_back({last_, std::move(record)});
    if (post) events_.answered.push_back({std::move(*post), last_});
    if (tells_) published.told = EventPublished{last_, std::move(event)};
    return published;
}

Decision Staging::keep(std::optional<MarkRecord> mark, const std::vector<Sequence>& released) {
    if (mark) {
        bytes_ += bytesOf(*mark);
        events_.mark = std::move(mark);
    }
    events_.released.insert(events_.released.end(), released.begin(), released.end());
    return {{StatusCode::ok, "kept"}, 0, true};
}

std::size_t Staging::bytesOf(const MarkRecord& mark) noexcept {
    return (mark.laggards.size() + 1) * bytesPerLaggard;
}

Decision Staging::store(const Request& request, const Entry* known, const Registrations& now, How how) {
    const auto& [record, count] = now;
    const bool wasClient = known != nullptr && known->isClient();
    const bool isTheSame = wasClient && known->registrations.view() == record;
    // What a client has it may send again, and remove of it, also when the limits have been lowered since.
    if (!isTheSame && how != How::reduced) {
        if (auto refusal = tooMuch(count, record.size()))
            return settled(request.client, std::move(*refusal), 0);
    }

    Decision ok{{StatusCode::ok, fmt::format("client {} {}: {} in all", request.client.text(), done(how),
                                             counted(count, "registration"))},
                count,
                true};
    // The same content again, as after a lost reply, is durable already; but whoever joins is sent the whole
    // state again, also when we crash before that.
    if (isTheSame && how != How::joined) how = How::heard;
    auto entry = renewed(request, known, record, how);
    ok.told = changed(request, how, entry,
                      how == How::added ? std::string(known->registrations.view()) : std::string());
    if (how == How::heard && entry.via == known->via) {
        ok.provisional = isStaged(request.client);
        heard_.insert(request.client);
        return ok;
    }
    if (!wasClient) {
        ++clients_;
        clientsChanged_ = true;
    }
    put(request.client, std::move(entry));
    return ok;
}

Entry Staging::renewed(const Request& request, const Entry* known, std::string_view record, How how) {
    Entry entry;
    if (known != nullptr) {
        entry.joined = known->joined;
        entry.added = known->added;
        entry.via = known->via;
    }
    entry.id = known != nullptr ? known->id : ++lastId_;
    entry.registrations = Text(record);
    if (request.via != IpAddress{}) entry.via = base_.vias_.indexOf(request.via);
    if (how == How::joined) entry.joined = ++last_;
    if (how == How::added) ++last_;
    if (how == How::joined || how == How::added) entry.added = last_;
    return entry;
}

std::optional<Reply> Staging::tooMuch(std::size_t registrations, std::size_t bytes) const {
    const auto& rules = base_.rules_;
    if (registrations > rules.registrationsPerClient) {
        return Reply{StatusCode::lowResource,
                     fmt::format("{} would be more than registrations_per_client, {}",
                                 counted(registrations, "registration"), rules.registrationsPerClient)};
    }
    if (bytes > rules.bytesPerClient) {
        return Reply{StatusCode::lowResource,
                     fmt::format("the registrations of one client would take {} bytes, more than {}", bytes,
                                 rules.bytesPerClient)};
    }
    return std::nullopt;
}

std::optional<Committed> Staging::changed(const Request& request, How how, const Entry& entry,
                                          std::string before) const {
    if (!tells_) return std::nullopt;
    return ClientChanged{how, base_.recordOf(request.client, entry), std::move(before), request.gate};
}

Decision Staging::settled(const CallbackAddress& address, Reply reply, std::size_t registrations) const {
    return {std::move(reply), registrations, isStaged(address)};
}

bool Staging::hasNewNumber(const CallbackAddress& client) const {
    const auto staged = entries_.find(client);
    if (staged == entries_.end() || !staged->second) return false;
    return staged->second->isClient() && staged->second->added > base_.last_;
}

std::size_t Staging::bytesAtMost(const Request& request) const {
    const Entry* const known = find(request.client);
    return (known == nullptr ? 0 : known->registrations.size()) + encodedBytesAtMost(request.events);
}

void Staging::put(const CallbackAddress& address, std::optional<Entry> entry) {
    if (entry) bytes_ += entry->registrations.size();
    const auto [touched, isNew] = entries_.insert_or_assign(address, std::move(entry));
    if (isNew) touched_.push_back(&*touched);
}

void Staging::forgetOldRemovals(WallTime now, std::size_t most) {
    for (const auto& removal : base_.removals_) {
        if (most == 0 || now - removal.at < base_.rules_.removalMemory) return;
        --most;
        if (isStaged(removal.client) || !base_.isTrue(removal)) continue;
        put(removal.client, std::nullopt);
    }
}

std::vector<Change> Staging::changes() const {
    std::vector<Change> changes;
    changes.reserve(touched_.size());
    for (const auto* touched : touched_) {
        const auto& [address, entry] = *touched;
        if (!entry) {
            changes.emplace_back(ForgottenRecord{base_.find(address)->id, address});
        } else if (entry->isClient()) {
            changes.emplace_back(base_.recordOf(address, *entry));
        } else {
            changes.emplace_back(RemovalRecord{entry->id, address, entry->removedAt});
        }
    }
    return changes;
}

void adopt(Registry& registry, Staging&& staging) {
    for (auto* touched : staging.touched_)
        registry.apply(touched->first, std::move(touched->second));
    registry.clients_ = staging.clients_;
    registry.lastId_ = staging.lastId_;
    registry.last_ = staging.last_;
    registry.dropStaleRemovals();
}

}  // namespace crnpd::registry
