// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/registry/registry.h"

#include <algorithm>
#include <utility>

namespace crnpd::registry {

void Registry::load(Snapshot snapshot) {
    entries_.clear();
    removals_.clear();
    clients_ = snapshot.clients.size();
    lastId_ = 0;
    entries_.reserve(snapshot.clients.size() + snapshot.removals.size());

    for (auto& record : snapshot.clients) {
        lastId_ = std::max(lastId_, record.id);
        entries_.insert_or_assign(record.client,
                                  Entry{record.id, std::move(record.registrations), std::nullopt});
    }
    std::sort(snapshot.removals.begin(), snapshot.removals.end(),
              [](const auto& a, const auto& b) { return a.removedAt < b.removedAt; });
    for (const auto& record : snapshot.removals) {
        lastId_ = std::max(lastId_, record.id);
        entries_.insert_or_assign(record.client, Entry{record.id, {}, record.removedAt});
        removals_.push_back({record.removedAt, record.client});
    }
}

const Entry* Registry::find(const CallbackAddress& address) const {
    const auto found = entries_.find(address);
    return found == entries_.end() ? nullptr : &found->second;
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
    for (const auto& [address, entry] : entries_) {
        if (entry.isClient()) {
            all.clients.push_back({entry.id, address, entry.registrations});
        } else {
            all.removals.push_back({entry.id, address, *entry.removedAt});
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

void Registry::apply(Change&& change) {
    if (auto* record = std::get_if<ClientRecord>(&change)) {
        entries_.insert_or_assign(record->client,
                                  Entry{record->id, std::move(record->registrations), std::nullopt});
    } else if (const auto* removal = std::get_if<RemovalRecord>(&change)) {
        entries_.insert_or_assign(removal->client, Entry{removal->id, {}, removal->removedAt});
        removals_.push_back({removal->removedAt, removal->client});
    } else {
        entries_.erase(std::get<ForgottenRecord>(change).client);
    }
}

bool Registry::isTrue(const Removal& removal) const {
    const auto* entry = find(removal.client);
    return entry != nullptr && entry->removedAt == removal.at;
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
