// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/mirror.h"

#include <algorithm>
#include <utility>

#include "common/mark_codec.h"

namespace crnpd::etcd {

Result<void> Mirror::put(const Row& row) {
    if (row.key == keys_.format()) return checkFormat(row.value);
    if (row.key == keys_.head()) {
        auto head = decodeHead(row.value);
        if (!head) return head.error();
        head_ = std::move(*head);
        headRevision_ = row.modified;
        return {};
    }
    if (row.key == keys_.mark()) return putMark(row);
    if (row.key.starts_with(keys_.events())) return putEvent(row);
    if (!row.key.starts_with(keys_.clients())) return {};
    auto change = decodeRow(keys_, row.key, row.value);
    if (!change) return change.error();
    erase(row.key);
    const auto digest = digestOf(row.key, row.value);
    sum_.add(digest);
    if (std::holds_alternative<ClientRecord>(*change)) ++clients_;
    rows_.emplace(row.key, Held{std::move(*change), digest});
    return {};
}

Result<void> Mirror::putEvent(const Row& row) {
    auto event = decodeEventRow(keys_, row.key, row.value);
    if (!event) return event.error();
    eraseDelivery(row.key);
    const auto digest = digestOf(row.key, row.value);
    events_.emplace(row.key, HeldOf<EventRecord>{std::move(*event), digest});
    sum_.add(digest);
    return {};
}

Result<void> Mirror::putMark(const Row& row) {
    auto mark = decodeMark(row.value);
    if (!mark) return mark.error();
    eraseDelivery(row.key);
    const auto digest = digestOf(row.key, row.value);
    mark_.emplace(HeldOf<MarkRecord>{std::move(*mark), digest});
    sum_.add(digest);
    return {};
}

// False: it is neither an event's key nor the mark's.
bool Mirror::eraseDelivery(const std::string& key) {
    if (key == keys_.mark()) {
        if (mark_) sum_.take(mark_->digest);
        mark_.reset();
        return true;
    }
    const auto found = events_.find(key);
    if (found == events_.end()) return false;
    sum_.take(found->second.digest);
    events_.erase(found);
    return true;
}

void Mirror::erase(const std::string& key) {
    if (eraseDelivery(key)) return;
    if (key == keys_.head()) {
        head_.reset();
        headRevision_ = 0;
        return;
    }
    const auto found = rows_.find(key);
    if (found == rows_.end()) return;
    sum_.take(found->second.digest);
    if (std::holds_alternative<ClientRecord>(found->second.change)) --clients_;
    rows_.erase(found);
}

bool Mirror::isComplete() const {
    if (!head_) return rows() == 0;
    return head_->isFilling || head_->sum == sum_;
}

std::optional<Copy> Mirror::copy() && {
    Copy copy{{}, RowSums(keys_)};
    auto& [snapshot, sums] = copy;
    sums.reserve(rows_.size());
    snapshot.clients.reserve(clients_);
    snapshot.removals.reserve(rows_.size() - clients_);
    for (auto& [key, held] : rows_) {
        if (!sums.add(held.change, key, held.digest)) return std::nullopt;
        if (auto* client = std::get_if<ClientRecord>(&held.change)) {
            snapshot.clients.push_back(std::move(*client));
        } else if (auto* removal = std::get_if<RemovalRecord>(&held.change)) {
            snapshot.removals.push_back(std::move(*removal));
        }
    }
    snapshot.events.reserve(events_.size());
    for (auto& [key, held] : events_) {
        sums.add(held.record);
        snapshot.events.push_back(std::move(held.record));
    }
    if (mark_) {
        sums.add(mark_->record);
        snapshot.mark = std::move(mark_->record);
    }
    if (head_) {
        snapshot.head = head_->batch;
        snapshot.last = head_->last;
    }
    std::ranges::sort(snapshot.clients, {}, &ClientRecord::id);
    std::ranges::sort(snapshot.removals, {}, &RemovalRecord::id);
    return copy;
}

}  // namespace crnpd::etcd
