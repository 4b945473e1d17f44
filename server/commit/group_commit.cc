// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/commit/group_commit.h"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "common/crash_point.h"
#include "common/messages.h"

namespace crnpd::commit {
namespace {

using store::CommitState;

// Old removals leave in small portions beside the requests, never as a batch that somebody waits for.
constexpr std::size_t forgottenPerBatch = 64;

const Error outOfMemory{ErrorCode::noSpace, "out of memory"};

// Says so as long as it lives.
class LongWork {
public:
    explicit LongWork(std::atomic<bool>& flag) : flag_(flag) { flag_ = true; }
    ~LongWork() { flag_ = false; }
    LongWork(const LongWork&) = delete;
    LongWork& operator=(const LongWork&) = delete;

private:
    std::atomic<bool>& flag_;
};

// A client or an event that a store could never take in one commit is refused by the rules, before it is
// tried.
registry::Rules within(registry::Rules rules, const store::RegistrationStore& store) {
    rules.bytesPerClient = std::min(rules.bytesPerClient, store.bytesLimit());
    rules.bytesPerEvent = std::min(rules.bytesPerEvent, store.bytesLimit());
    return rules;
}

}  // namespace

GroupCommit::GroupCommit(store::RegistrationStore& store, const Clock& clock, const registry::Rules& rules,
                         Options options)
    : store_(store), clock_(clock), options_(std::move(options)), registry_(within(rules, store)) {}

void GroupCommit::load(const Snapshot& snapshot) {
    head_ = snapshot.head;
    registry_.load(snapshot);
    lost_ = false;
}

void GroupCommit::setRules(const registry::Rules& rules) {
    registry_.setRules(within(rules, store_));
}

void GroupCommit::process(std::span<Act> acts) {
    while (!acts.empty())
        acts = commitGroup(acts);
}

void GroupCommit::end(const std::string& reason) {
    if (std::exchange(over_, true)) return;
    if (options_.superseded) options_.superseded(reason);
}

std::span<Act> GroupCommit::commitGroup(std::span<Act> acts) {
    const Result<void> mayGoOn =
        over_ ? Error{ErrorCode::superseded, "this server is handing over"} : recover(acts.size());
    if (!mayGoOn) {
        for (const auto& act : acts)
            refuse(act, mayGoOn.error());
        return {};
    }

    registry::Staging staging(registry_, options_.audience != nullptr);
    std::vector<Pending> pending;
    const auto rest = decideGroup(acts, staging, pending);
    crashPoint("batch_staged");
    if (!pending.empty()) finish(std::move(staging), pending);
    return rest;
}

std::span<Act> GroupCommit::decideGroup(std::span<Act> acts, registry::Staging& staging,
                                        std::vector<Pending>& pending) {
    const auto now = clock_.wall();
    try {
        pending.reserve(acts.size());  // so that no callback is lost on its way into the list
        while (!acts.empty() && hasRoom(staging, acts.front())) {
            decideOne(acts.front(), now, staging, pending);
            acts = acts.subspan(1);
        }
        if (!pending.empty() && staging.size() < store_.batchLimit()) {
            const auto room = store_.batchLimit() - staging.size();
            staging.forgetOldRemovals(now, std::min(forgottenPerBatch, room));
        }
        return acts;
    } catch (const std::bad_alloc&) {
        // What was decided before rests on the same layer: none of it goes to the store.
        refuseAll(pending, outOfMemory);
        pending.clear();
        if (acts.empty()) return {};
        refuse(acts.front(), outOfMemory);
        return acts.subspan(1);
    }
}

void GroupCommit::decideOne(Act& act, WallTime now, registry::Staging& staging,
                            std::vector<Pending>& pending) {
    if (!fitsAlone(act, staging)) return refuse(act, {ErrorCode::noSpace, "it is too large"});
    auto decision = decide(act, staging, now);
    crashPoint("decided");
    // On a shared store what we know may be out of date, so even a decision that changes nothing waits until
    // a commit has shown that we still lead.
    if (decision.provisional || store_.isShared()) {
        pending.push_back({std::move(act), std::move(decision)});
        return;
    }
    if (decision.told) {
        std::vector<Committed> told;
        told.push_back(std::move(*decision.told));
        tell(std::move(told));
    }
    answer(act, decision);
}

// Of one client the rules see to that, as they know what it has already.
bool GroupCommit::fitsAlone(const Act& act, const registry::Staging& staging) const {
    if (const auto* event = std::get_if<Publication>(&act))
        return event->record.size() <= registry_.rules().bytesPerEvent;
    if (!std::holds_alternative<Keeping>(act)) return true;
    const auto extent = extentOf(act, staging);
    return extent.operations <= store_.batchLimit() && extent.bytes <= store_.bytesLimit();
}

// The first act of a group always fits: the rules keep one client within what one commit takes.
bool GroupCommit::hasRoom(const registry::Staging& staging, const Act& act) const {
    if (staging.size() == 0) return true;
    if (wouldHideANumber(act, staging)) return false;
    const auto extent = extentOf(act, staging);
    return staging.size() + extent.operations <= store_.batchLimit() &&
           staging.bytes() + extent.bytes <= store_.bytesLimit();
}

void GroupCommit::finish(registry::Staging&& staging, std::span<Pending> pending) {
    std::vector<Change> changes;
    std::vector<Committed> told;
    try {
        changes = staging.changes();
        told.reserve(pending.size());
    } catch (const std::bad_alloc&) {
        return refuseAll(pending, outOfMemory);
    }
    const BatchId batch = head_ + 1;
    crashPoint("before_commit");
    const auto outcome = outcomeOf(batch, store_.commit(batch, changes, staging.events()), staging.size());
    crashPoint("after_commit");
    switch (outcome.state) {
        case CommitState::committed:
            head_ = batch;
            take(std::move(staging));
            crashPoint("batch_applied");
            for (auto& [act, decision] : pending) {
                if (decision.told) told.push_back(std::move(*decision.told));
            }
            tell(std::move(told));
            crashPoint("audience_told");
            for (auto& [act, decision] : pending)
                answer(act, decision);
            crashPoint("batch_answered");
            return;
        case CommitState::notCommitted:
            return refuseAll(pending, outcome.reason);
        case CommitState::unknown:
            return leaveAllUnanswered(pending, outcome.reason);
    }
}

void GroupCommit::tell(std::vector<Committed> told) {
    if (!options_.audience || told.empty()) return;
    for (Committed& news : told)
        registry_.number(news);
    options_.audience(std::move(told));
}

// Committed is committed, whether or not memory has room for it.
void GroupCommit::take(registry::Staging&& staging) {
    try {
        adopt(registry_, std::move(staging));
    } catch (const std::bad_alloc&) {
        loseTrack(outOfMemory);
    }
}

store::CommitOutcome GroupCommit::outcomeOf(BatchId batch, store::CommitOutcome first, std::size_t changes) {
    if (first.state != CommitState::unknown) return first;
    log(msg::commitUnknown, batch, changes, first.reason.text);
    const LongWork waiting(*isAtLongWork_);
    return store_.outcomeOf(batch, options_.outcomeLimit);
}

void GroupCommit::refuseAll(std::span<Pending> pending, const Error& reason) {
    log(msg::commitRefused, pending.size(), reason.text);
    for (const auto& [act, decision] : pending)
        refuse(act, reason);
    if (reason.code == ErrorCode::superseded) end(reason.text);
}

void GroupCommit::leaveAllUnanswered(std::span<Pending> pending, const Error& reason) {
    log(msg::outcomeNotFound, pending.size(), reason.text);
    for (const auto& [act, decision] : pending)
        leaveUnanswered(act, reason);
    loseTrack(reason);
}

// A store of our own is read again by ourselves; on a shared one whoever leads next does that.
void GroupCommit::loseTrack(const Error& reason) {
    lost_ = true;
    if (store_.isShared()) end(reason.text);
}

Result<void> GroupCommit::recover(std::size_t waiting) {
    if (!lost_ || over_) return {};
    if (const auto reloaded = reload(); !reloaded) {
        const auto& reason = reloaded.error();
        log(msg::storeStillBroken, waiting, reason.text);
        if (reason.code == ErrorCode::superseded) end(reason.text);
        return Error{reason.code, "what the store holds is not known and cannot be read: " + reason.text};
    }
    log(msg::storeReloaded, head_, registry_.clients());
    return {};
}

void GroupCommit::lookAgain() {
    [[maybe_unused]] const auto failed = recover(0);
}

// What the store holds is the truth again.
Result<void> GroupCommit::reload() try {
    auto snapshot = store_.load();
    if (!snapshot) return snapshot.error();
    const auto rows = std::make_shared<const Snapshot>(std::move(*snapshot));
    std::vector<Committed> told;
    told.emplace_back(AllReloaded{rows});
    load(*rows);
    tell(std::move(told));
    return {};
} catch (const std::bad_alloc&) {
    lost_ = true;
    return outOfMemory;
}

Result<void> GroupCommit::fill(const Snapshot& rows) {
    if (over_) return Error{ErrorCode::busy, "this server is handing over; ask the active one"};
    if (auto known = recover(0); !known) return known;
    if (registry_.clients() > 0) {
        return Error{
            ErrorCode::busy,
            fmt::format("{} clients are registered here; restore into an empty store", registry_.clients())};
    }
    crashPoint("before_fill");
    const auto outcome = fillStore(rows);
    crashPoint("after_fill");
    if (outcome.state == CommitState::committed) {
        ++head_;
        // The store has more than what it was filled with: events, and numbers that were given before.
        lookAgainAfterFilling();
        crashPoint("fill_loaded");
        return {};
    }
    if (outcome.state == CommitState::unknown) return whatBecameOf(rows, outcome.reason);
    if (outcome.reason.code == ErrorCode::superseded) end(outcome.reason.text);
    if (outcome.isCleared) lookAgainAfterFilling();
    return outcome.reason;
}

void GroupCommit::lookAgainAfterFilling() {
    lost_ = true;
    const LongWork reading(*isAtLongWork_);
    lookAgain();
}

// A store of our own tells that itself as soon as it can be read; not where there were no clients to restore,
// because then both look alike.
Result<void> GroupCommit::whatBecameOf(const Snapshot& rows, const Error& reason) {
    loseTrack(reason);
    const bool isRead = !over_ && recover(0);
    if (isRead && registry_.clients() > 0) return {};
    if (isRead && !rows.clients.empty()) return Error{ErrorCode::busy, reason.text};
    return Error{ErrorCode::superseded,
                 "nobody knows whether the registrations were restored: " + reason.text +
                     (over_ ? "; ask the server that is active next" : "")};
}

store::CommitOutcome GroupCommit::fillStore(const Snapshot& rows) {
    std::vector<Change> changes;
    try {
        changes = registry_.forgettingAll();
        changes.reserve(changes.size() + rows.clients.size() + rows.removals.size());
        std::ranges::copy(rows.clients, std::back_inserter(changes));
        std::ranges::copy(rows.removals, std::back_inserter(changes));
    } catch (const std::bad_alloc&) {
        return store::CommitOutcome::notCommitted(outOfMemory);
    }
    const LongWork filling(*isAtLongWork_);
    const BatchId batch = head_ + 1;
    return outcomeOf(batch, store_.fill(batch, changes), changes.size());
}

}  // namespace crnpd::commit
