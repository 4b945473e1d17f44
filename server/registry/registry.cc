// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/registry/registry.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace crnpd::registry {

void Registry::load(const Snapshot& snapshot) {
    entries_.clear();
    removals_.clear();
    clients_ = snapshot.clients.size();
    lastId_ = 0;
    last_ = std::max(snapshot.last, snapshot.mark.upTo);
    for (const auto& event : snapshot.events)
        last_ = std::max(last_, event.sequence);
    entries_.reserve(snapshot.clients.size() + snapshot.removals.size());

    for (const auto& record : snapshot.clients) {
        lastId_ = std::max(lastId_, record.id);
        last_ = std::max({last_, record.joined, record.added});
        entries_.insert_or_assign(record.client, entryOf(record));
    }
    for (const auto& record : snapshot.removals) {
        lastId_ = std::max(lastId_, record.id);
        entries_.insert_or_assign(record.client, Entry::removal(record.id, record.removedAt));
        removals_.push_back({record.removedAt, record.client});
    }
    std::sort(removals_.begin(), removals_.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
}

void Registry::number(Committed& news) {
    if (auto* changed = std::get_if<ClientChanged>(&news)) {
        changed->number = ++lastNews_;
        const auto found = entries_.find(changed->record.client);
        if (found != entries_.end()) found->second.spoken = lastNews_;
    } else if (auto* all = std::get_if<AllReloaded>(&news)) {
        all->number = reloaded_ = ++lastNews_;
    }
}

const Entry* Registry::find(const CallbackAddress& address) const {
    const auto found = entries_.find(address);
    return found == entries_.end() ? nullptr : &found->second;
}

ClientRecord Registry::recordOf(const CallbackAddress& address, const Entry& entry) const {
    return {entry.id,   address,      std::string(entry.registrations.view()),
            via(entry), entry.joined, entry.added};
}

Entry Registry::entryOf(const ClientRecord& record) {
    Entry entry;
    entry.id = record.id;
    entry.registrations = Text(record.registrations);
    entry.joined = record.joined;
    entry.added = record.added;
    entry.via = vias_.indexOf(record.via);
    return entry;
}

const Entry* Registry::client(const CallbackAddress& address) const {
    const auto* entry = find(address);
    return entry != nullptr && entry->isClient() ? entry : nullptr;
}

std::vector<CallbackAddress> Registry::clientAddresses() const {
    std::vector<CallbackAddress> addresses;
    addresses.reserve(clients_);
    for (const auto& [address, entry] : entries_) {
        if (entry.isClient()) addresses.push_back(address);
    }
    std::sort(addresses.begin(), addresses.end());
    return addresses;
}

Snapshot Registry::snapshot() const {
    Snapshot all;
    all.clients.reserve(clients());
    all.removals.reserve(removals());
    all.last = last_;
    for (const auto& [address, entry] : entries_) {
        if (entry.isClient()) {
            all.clients.push_back(recordOf(address, entry));
        } else {
            all.removals.push_back({entry.id, address, entry.removedAt});
        }
    }
    return all;
}

std::vector<Change> Registry::forgettingAll() const {
    std::vector<Change> changes;
    changes.reserve(entries_.size());
    for (const auto& [address, entry] : entries_)
        changes.emplace_back(ForgottenRecord{entry.id, address});
    return changes;
}

void Registry::apply(const CallbackAddress& address, std::optional<Entry>&& entry) {
    if (!entry) {
        entries_.erase(address);
        return;
    }
    if (!entry->isClient()) removals_.push_back({entry->removedAt, address});
    entries_.insert_or_assign(address, std::move(*entry));
}

bool Registry::isTrue(const Removal& removal) const {
    const auto* entry = find(removal.client);
    return entry != nullptr && entry->isRemoval && entry->removedAt == removal.at;
}

// Clients that leave and return all day would pile up removals that are no longer true.
void Registry::dropStaleRemovals() {
    while (!removals_.empty() && !isTrue(removals_.front()))
        removals_.pop_front();
    if (removals_.size() > 2 * removals() + 1024) {
        std::erase_if(removals_, [this](const Removal& removal) { return !isTrue(removal); });
    }
}

}  // namespace crnpd::registry
