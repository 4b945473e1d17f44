// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// EtcdStore::fill(): more than one transaction takes, all or nothing.
#include <algorithm>
#include <new>
#include <utility>

#include "common/crash_point.h"
#include "server/etcd/etcd_store.h"
#include "server/store/numbers.h"

namespace crnpd::etcd {
namespace {

using store::CommitOutcome;
using store::CommitState;

const Error outOfMemory{ErrorCode::noSpace, "out of memory"};

bool isForgotten(const Change& change) {
    return std::holds_alternative<ForgottenRecord>(change);
}

std::size_t bytesOf(const Change& change) {
    const auto* client = std::get_if<ClientRecord>(&change);
    return client == nullptr ? 0 : client->registrations.size();
}

// As many changes from the front as one transaction takes. What forgets a row does not share one with what
// puts rows, because both may be about one key.
std::span<const Change> firstOf(std::span<const Change> changes, std::size_t limit, std::size_t bytesLimit) {
    std::size_t bytes = 0;
    std::size_t count = 0;
    for (const auto& change : changes.first(std::min(limit, changes.size()))) {
        bytes += bytesOf(change);
        if (count > 0 && (bytes > bytesLimit || isForgotten(change) != isForgotten(changes.front()))) break;
        ++count;
    }
    return changes.first(count);
}

}  // namespace

CommitOutcome EtcdStore::fill(BatchId batch, std::span<const Change> changes) noexcept {
    if (firstOf(changes, batchLimit(), bytesLimit()).size() == changes.size()) return commit(batch, changes);
    try {
        if (auto refused = refusal(batch)) return *refused;
        auto outcome = fillInSteps(batch, changes);
        if (outcome.state == CommitState::committed || last_) return outcome;
        if (outcome.reason.code == ErrorCode::superseded) return CommitOutcome::notCommitted(outcome.reason);
        // Where the first step was refused there is nothing to take away, which a full etcd would refuse,
        // too.
        if (outcome.state == CommitState::notCommitted && !head_.isFilling) return outcome;
        failed_ = outcome.reason;
        return undo(options_.patience);
    } catch (const std::bad_alloc&) {
        isReady_ = false;
        failed_ = outOfMemory;
        return CommitOutcome::unknown(*failed_);
    }
}

// Nothing counts before the last step. Only of that one the outcome may stay unknown, and is in `last_` then.
CommitOutcome EtcdStore::fillInSteps(BatchId batch, std::span<const Change> changes) {
    auto rows = rows_;
    auto head = head_;
    head.isFilling = true;
    head.last = std::max(head.last, store::greatestNumber(changes, {}));
    std::span<const Change> part;  // of the first step: none, the mark must be there before any row changes
    while (true) {
        const bool isLast = !part.empty() && changes.empty();
        head.batch = isLast ? batch : head_.batch;
        head.isFilling = !isLast;
        auto step = stepTo(head, rows, part);
        if (isLast) {
            last_ = std::move(step);
            filled_ = std::move(rows);
            crashPoint("etcd_last_fill_step");
            return close(attempt(*last_));
        }
        if (auto outcome = settle(step, options_.patience); outcome.state != CommitState::committed)
            return outcome;
        crashPoint("etcd_fill_step");
        rows.adopt(step.staged);
        part = firstOf(changes, batchLimit(), bytesLimit());
        changes = changes.subspan(part.size());
    }
}

// Takes away what a fill() that has failed has left. Until that is done nothing can be committed.
CommitOutcome EtcdStore::undo(std::chrono::milliseconds limit) {
    isReady_ = false;
    std::optional<CommitOutcome> outcome;
    attempts_.repeat(limit, [&] {
        outcome = clear();
        return outcome.has_value();
    });
    return outcome ? *outcome : CommitOutcome::unknown(*failed_);
}

std::optional<CommitOutcome> EtcdStore::clear() {
    auto head = head_;
    head.isFilling = false;
    auto events = rows_.ofEvents();
    head.sum = events.sum();
    const auto answer =
        etcd_.transact({{{Condition::Of::created, keys_.leader(), static_cast<Revision>(term_)},
                         {Condition::Of::modified, keys_.head(), headRevision_}},
                        {Delete{keys_.clients(), true}, Put{keys_.head(), encodeHead(head)}},
                        {Get{keys_.leader()}, Get{keys_.head()}}});
    if (!answer) return std::nullopt;
    if (answer->succeeded) {
        moveTo(head, answer->revision);
        rows_ = std::move(events);
        isReady_ = true;
        auto outcome = CommitOutcome::notCommitted(*std::exchange(failed_, std::nullopt));
        outcome.isCleared = true;
        return outcome;
    }
    const auto& leader = answer->got.at(0);
    if (!leader || leader->created != static_cast<Revision>(term_)) {
        failed_.reset();
        return CommitOutcome::notCommitted(supersededBy(leader));
    }
    // A copy of a step, or of this, has come in meanwhile.
    const auto& row = answer->got.at(1);
    const auto found = row ? decodeHead(row->value) : Result<Head>(Error{ErrorCode::damaged, {}});
    if (found && found->term == term_ && found->batch == head_.batch) headRevision_ = row->modified;
    return std::nullopt;
}

}  // namespace crnpd::etcd
