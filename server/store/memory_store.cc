// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/store/memory_store.h"

#include <algorithm>
#include <variant>

#include "server/store/numbers.h"

namespace crnpd::store {
namespace {

RecordId idOf(const Change& change) {
    return std::visit([](const auto& record) { return record.id; }, change);
}

}  // namespace

Result<Snapshot> MemoryStore::load() noexcept {
    Snapshot snapshot;
    snapshot.head = head_;
    for (const auto& [id, row] : rows_) {
        if (const auto* client = std::get_if<ClientRecord>(&row)) snapshot.clients.push_back(*client);
        if (const auto* removal = std::get_if<RemovalRecord>(&row)) snapshot.removals.push_back(*removal);
    }
    for (const auto& [sequence, event] : events_)
        snapshot.events.push_back({sequence, event});
    snapshot.mark = mark_;
    snapshot.last = last_;
    return snapshot;
}

CommitOutcome MemoryStore::carryOut(BatchId batch, std::span<const Change> changes,
                                    const EventChanges& events) noexcept {
    if (batch != head_ + 1) {
        return CommitOutcome::notCommitted(
            {ErrorCode::foreign,
             "batch " + std::to_string(batch) + " does not follow batch " + std::to_string(head_)});
    }
    for (const Change& change : changes) {
        if (std::holds_alternative<ForgottenRecord>(change)) {
            rows_.erase(idOf(change));
        } else {
            rows_.insert_or_assign(idOf(change), change);
        }
    }
    for (const auto& [sequence, event] : events.published)
        events_.insert_or_assign(sequence, event);
    for (const auto sequence : events.released)
        events_.erase(sequence);
    if (events.mark) mark_ = *events.mark;
    last_ = std::max(last_, greatestNumber(changes, events));
    head_ = batch;
    return CommitOutcome::committed();
}

CommitOutcome MemoryStore::outcomeOf(BatchId batch, std::chrono::milliseconds) noexcept {
    if (batch == head_) return CommitOutcome::committed();
    return CommitOutcome::notCommitted(
        {ErrorCode::io, "batch " + std::to_string(batch) + " was never committed"});
}

}  // namespace crnpd::store
