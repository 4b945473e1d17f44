// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/commit/group_commit.h"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "common/messages.h"

namespace crnpd::commit {
namespace {

using store::CommitState;

// Old removals leave in small portions beside the requests, never as a batch that somebody waits for.
constexpr std::size_t forgottenPerBatch = 64;

const Error outOfMemory{ErrorCode::noSpace, "out of memory"};

Reply refusalFor(const Error& reason) {
    switch (reason.code) {
        case ErrorCode::noSpace:
            return {StatusCode::lowResource,
                    "nothing was changed: the server's disk or memory is full; try again later"};
        case ErrorCode::busy:
            return {StatusCode::retry,
                    "nothing was changed: the registrations cannot be written at the moment; repeat"};
        case ErrorCode::superseded:
            return {StatusCode::retry, "nothing was changed: this server is handing over; repeat"};
        default:
            return {StatusCode::systemError,
                    "nothing was changed: the server cannot write its registrations; tell the cluster's "
                    "administrator"};
    }
}

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

// A client that a store could never take in one commit is refused by the rules, before it is tried.
registry::Rules within(registry::Rules rules, const store::RegistrationStore& store) {
    rules.bytesPerClient = std::min(rules.bytesPerClient, store.bytesLimit());
    return rules;
}

}  // namespace

GroupCommit::GroupCommit(store::RegistrationStore& store, const Clock& clock, const registry::Rules& rules,
                         Options options)
    : store_(store), clock_(clock), options_(std::move(options)), registry_(within(rules, store)) {}

void GroupCommit::load(Snapshot snapshot) {
    head_ = snapshot.head;
    registry_.load(std::move(snapshot));
    lost_ = false;
}

void GroupCommit::setRules(const registry::Rules& rules) {
    registry_.setRules(within(rules, store_));
}

void GroupCommit::process(std::span<Submission> submissions) {
    while (!submissions.empty())
        submissions = commitGroup(submissions);
}

void GroupCommit::end(const std::string& reason) {
    if (std::exchange(over_, true)) return;
    if (options_.superseded) options_.superseded(reason);
}

std::span<Submission> GroupCommit::commitGroup(std::span<Submission> submissions) {
    if (over_ || (lost_ && !recover(submissions))) {
        const auto refusal = refusalFor({over_ ? ErrorCode::superseded : ErrorCode::io, {}});
        for (const auto& submission : submissions)
            submission.completion({refusal, 0});
        return {};
    }

    registry::Staging staging(registry_);
    std::vector<Pending> pending;
    const auto rest = decideGroup(submissions, staging, pending);
    if (!pending.empty()) finish(std::move(staging), pending);
    return rest;
}

std::span<Submission> GroupCommit::decideGroup(std::span<Submission> submissions, registry::Staging& staging,
                                               std::vector<Pending>& pending) {
    const auto now = clock_.wall();
    try {
        pending.reserve(submissions.size());  // so that no completion is lost on its way into the list
        while (!submissions.empty() && hasRoom(staging, submissions.front().request)) {
            auto& submission = submissions.front();
            auto decision = staging.decide(submission.request, now);
            // On a shared store what we know may be out of date, so even a decision that changes nothing
            // waits until a commit has shown that we still lead.
            if (decision.provisional || store_.isShared()) {
                pending.push_back({std::move(submission.completion), std::move(decision)});
            } else {
                submission.completion({std::move(decision.reply), decision.registrations});
            }
            submissions = submissions.subspan(1);
        }
        if (!pending.empty()) {
            const auto room = store_.batchLimit() - staging.size();
            staging.forgetOldRemovals(now, std::min(forgottenPerBatch, room));
        }
        return submissions;
    } catch (const std::bad_alloc&) {
        // What was decided before rests on the same layer: none of it goes to the store.
        refuse(pending, outOfMemory);
        pending.clear();
        if (submissions.empty()) return {};
        submissions.front().completion({refusalFor(outOfMemory), 0});
        return submissions.subspan(1);
    }
}

// The first request of a group always fits: the rules keep one client within what one commit takes.
bool GroupCommit::hasRoom(const registry::Staging& staging, const registry::Request& request) const {
    if (staging.size() == 0) return true;
    return staging.size() < store_.batchLimit() &&
           staging.bytes() + staging.bytesAtMost(request) <= store_.bytesLimit();
}

void GroupCommit::finish(registry::Staging&& staging, std::span<Pending> pending) {
    std::vector<Change> changes;
    try {
        changes = staging.changes();
    } catch (const std::bad_alloc&) {
        return refuse(pending, outOfMemory);
    }
    const BatchId batch = head_ + 1;
    const auto outcome = outcomeOf(batch, store_.commit(batch, changes), changes.size());
    switch (outcome.state) {
        case CommitState::committed:
            head_ = batch;
            take(std::move(staging));
            for (auto& [completion, decision] : pending)
                completion({std::move(decision.reply), decision.registrations});
            return;
        case CommitState::notCommitted:
            return refuse(pending, outcome.reason);
        case CommitState::unknown:
            return leaveUnanswered(pending, outcome.reason);
    }
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

void GroupCommit::refuse(std::span<Pending> pending, const Error& reason) {
    log(msg::commitRefused, pending.size(), reason.text);
    const auto refusal = refusalFor(reason);
    for (const auto& [completion, decision] : pending)
        completion({refusal, 0});
    if (reason.code == ErrorCode::superseded) end(reason.text);
}

void GroupCommit::leaveUnanswered(std::span<Pending> pending, const Error& reason) {
    log(msg::outcomeNotFound, pending.size(), reason.text);
    for (const auto& [completion, decision] : pending)
        completion({std::nullopt, 0});
    loseTrack(reason);
}

// A store of our own is read again by ourselves; on a shared one whoever leads next does that.
void GroupCommit::loseTrack(const Error& reason) {
    lost_ = true;
    if (store_.isShared()) end(reason.text);
}

// What the store holds is the truth again.
bool GroupCommit::recover(std::span<Submission> submissions) {
    auto snapshot = store_.load();
    if (!snapshot) {
        log(msg::storeStillBroken, submissions.size(), snapshot.error().text);
        return false;
    }
    log(msg::storeReloaded, snapshot->head, snapshot->clients.size());
    load(std::move(*snapshot));
    return true;
}

Result<void> GroupCommit::fill(Snapshot rows) {
    if (over_ || lost_) return Error{ErrorCode::busy, "this server is handing over; ask the active one"};
    if (registry_.clients() > 0) {
        return Error{
            ErrorCode::busy,
            fmt::format("{} clients are registered here; restore into an empty store", registry_.clients())};
    }
    const auto outcome = fillStore(rows);
    if (outcome.state == CommitState::committed) {
        rows.head = ++head_;
        try {
            load(std::move(rows));
        } catch (const std::bad_alloc&) {
            loseTrack(outOfMemory);
        }
        return {};
    }
    if (outcome.state == CommitState::unknown) {
        loseTrack(outcome.reason);
        return Error{ErrorCode::superseded, "nobody knows whether the registrations were restored: " +
                                                outcome.reason.text + "; ask the server that is active next"};
    }
    if (outcome.reason.code == ErrorCode::superseded) end(outcome.reason.text);
    lost_ = true;  // memories of removals may have gone with the attempt
    return outcome.reason;
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
