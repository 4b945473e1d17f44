// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/etcd_store.h"

#include <algorithm>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "common/crash_point.h"
#include "server/store/numbers.h"

namespace crnpd::etcd {
namespace {

using store::CommitOutcome;
using store::CommitState;

const Error outOfMemory{ErrorCode::noSpace, "out of memory"};
const Error abandoned{ErrorCode::superseded, "this server does not lead any more"};

// Only these are answers; after anything else the transaction may be carried out.
bool isAnswer(const Error& error) {
    return error.code == ErrorCode::noSpace || error.code == ErrorCode::io ||
           error.code == ErrorCode::invalidArgument;
}

}  // namespace

EtcdStore::EtcdStore(KeyValue& etcd, const Clock& clock, store::Term term, Options options, WarmCopy* copy)
    : clock_(clock),
      options_(std::move(options)),
      keys_(options_.prefix),
      term_(term),
      etcd_(etcd),
      copy_(copy),
      attempts_(etcd, clock, options_.pause, options_.wait),
      rows_(keys_) {}

Result<Snapshot> EtcdStore::load() noexcept {
    isReady_ = false;
    last_.reset();
    filled_.reset();
    failed_.reset();
    if (attempts_.isAbandoned()) return abandoned;
    try {
        Loading loading(attempts_, clock_, keys_, term_, {options_.patience, options_.catchUpLimit}, copy_);
        auto loaded = loading.load();
        if (!loaded) {
            // Nothing is wrong with what is there, and etcd has room again some day.
            if (loaded.error().code == ErrorCode::noSpace) return Error{ErrorCode::busy, loaded.error().text};
            return loaded.error();
        }
        head_ = std::move(loaded->head);
        headRevision_ = loaded->headRevision;
        rows_ = std::move(loaded->rows);
        isReady_ = true;
        return std::move(loaded->snapshot);
    } catch (const std::bad_alloc&) {
        return outOfMemory;
    }
}

std::optional<CommitOutcome> EtcdStore::refusal(BatchId batch) const {
    if (attempts_.isAbandoned()) return CommitOutcome::notCommitted(abandoned);
    if (!isReady_) {
        return CommitOutcome::notCommitted(
            {ErrorCode::busy, "what etcd holds is not known for certain; it must be read first"});
    }
    if (batch == head_.batch + 1) return std::nullopt;
    return CommitOutcome::notCommitted(
        {ErrorCode::foreign, fmt::format("batch {} does not follow batch {}", batch, head_.batch)});
}

CommitOutcome EtcdStore::carryOut(BatchId batch, std::span<const Change> changes,
                                  const EventChanges& events) noexcept {
    try {
        if (auto refused = refusal(batch)) return *refused;
        auto head = head_;
        head.batch = batch;
        head.last = std::max(head.last, store::greatestNumber(changes, events));
        last_ = stepTo(std::move(head), rows_, changes, events);
    } catch (const std::bad_alloc&) {
        return CommitOutcome::notCommitted(outOfMemory);
    }
    return close(attempt(*last_));
}

CommitOutcome EtcdStore::outcomeOf(BatchId batch, std::chrono::milliseconds limit) noexcept {
    try {
        if (failed_) return undo(limit);
        if (last_ && last_->head.batch == batch) {
            auto outcome = close(settle(*last_, limit));
            if (outcome.state == CommitState::unknown) isReady_ = false;
            return outcome;
        }
    } catch (const std::bad_alloc&) {
        isReady_ = false;
        return CommitOutcome::unknown(outOfMemory);
    }
    if (batch <= head_.batch) return CommitOutcome::committed();
    return CommitOutcome::notCommitted({ErrorCode::io, fmt::format("batch {} was never sent", batch)});
}

// What is known about `last_` is the state from now on.
CommitOutcome EtcdStore::close(CommitOutcome outcome) noexcept {
    if (outcome.state == CommitState::unknown) return outcome;
    auto& rows = filled_ ? *filled_ : rows_;
    if (outcome.state == CommitState::committed) {
        rows.adopt(last_->staged);
        if (filled_) rows_ = std::move(*filled_);
    } else {
        rows.drop(last_->staged);
    }
    last_.reset();
    filled_.reset();
    return outcome;
}

// The step from where we are to `head`.
EtcdStore::Step EtcdStore::stepTo(Head head, RowSums& rows, std::span<const Change> changes,
                                  const EventChanges& events) const {
    Step step;
    step.staged = rows.stage(changes, events);
    try {
        head.sum = step.staged.sum;
        step.head = std::move(head);
        step.transaction.conditions = {{Condition::Of::created, keys_.leader(), static_cast<Revision>(term_)},
                                       {Condition::Of::modified, keys_.head(), headRevision_}};
        step.transaction.then = std::move(step.staged.operations);
        step.transaction.then.emplace_back(Put{keys_.head(), encodeHead(step.head)});
        step.transaction.otherwise = {Get{keys_.leader()}, Get{keys_.head()}};
    } catch (const std::bad_alloc&) {
        rows.drop(step.staged);
        throw;
    }
    return step;
}

void EtcdStore::moveTo(const Head& head, Revision revision) noexcept {
    head_.batch = head.batch;
    head_.sum = head.sum;
    head_.isFilling = head.isFilling;
    head_.last = head.last;
    headRevision_ = revision;
}

// Sends one copy. Copies that were not answered before may still be carried out as long as our term leads and
// the head is where we left it; once either has changed, none of them ever will be.
CommitOutcome EtcdStore::attempt(Step& step) noexcept {
    try {
        crashPoint("etcd_before_commit");
        const auto answer = etcd_.transact(step.transaction);
        crashPoint("etcd_after_commit");
        if (answer && answer->succeeded) {
            moveTo(step.head, answer->revision);
            return CommitOutcome::committed();
        }
        if (answer) return judge(step, *answer);
        if (!isAnswer(answer.error())) step.hasUnanswered = true;
        // That this copy was refused says nothing of the others.
        return step.hasUnanswered ? CommitOutcome::unknown(answer.error())
                                  : CommitOutcome::notCommitted(answer.error());
    } catch (const std::bad_alloc&) {
        step.hasUnanswered = true;
        return CommitOutcome::unknown(outOfMemory);
    }
}

// The conditions did not hold: we do not lead, or the head has moved, so no copy will be carried out from now
// on. Whether an earlier one was is what the head tells.
CommitOutcome EtcdStore::judge(const Step& step, const TransactionAnswer& answer) {
    const auto& leader = answer.got.at(0);
    const auto& row = answer.got.at(1);
    const auto head = row ? decodeHead(row->value) : Result<Head>(Error{ErrorCode::damaged, "it is gone"});
    if (leader && leader->created == static_cast<Revision>(term_)) {
        // Nobody but us writes now, and the steps before this one were over when it was first sent.
        if (head && *head == step.head && row->modified != headRevision_) {
            moveTo(step.head, row->modified);
            return CommitOutcome::committed();
        }
        Error why{ErrorCode::foreign, fmt::format("{} was changed by another program", keys_.head())};
        return step.hasUnanswered ? CommitOutcome::unknown(std::move(why))
                                  : CommitOutcome::notCommitted(std::move(why));
    }
    const auto held = head && head->term >= term_ ? holds(*head, term_, step.head.batch) : std::nullopt;
    // Of a step within fill() the head cannot tell, but then the whole was not committed.
    if (held == true && !step.head.isFilling) {
        moveTo(step.head, row->modified);
        return CommitOutcome::committed();
    }
    if (held || !step.hasUnanswered) return CommitOutcome::notCommitted(supersededBy(leader));
    return CommitOutcome::unknown(supersededBy(leader));
}

CommitOutcome EtcdStore::settle(Step& step, std::chrono::milliseconds limit) {
    auto outcome = CommitOutcome::unknown(abandoned);
    if (attempts_.isAbandoned()) return outcome;
    attempts_.repeat(limit, [&] {
        outcome = attempt(step);
        return outcome.state != CommitState::unknown;
    });
    return outcome;
}

}  // namespace crnpd::etcd
