// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The registrations this server has promised to keep.
//
// Promise    A batch that was committed outlives this process and this machine (SQLite), or any minority
//            of the nodes (a replicated store). All of a batch or none of it, in order; "OK means durable"
//            in section 4 of docs/protocol.md rests on it.
// Threads    Calls come from one thread at a time and may block.
// Errors     notCommitted: nothing of the batch was written, nor will it appear later. unknown: it may have
//            been; outcomeOf() finds out before anybody is answered. No method throws.
#pragma once

#include <chrono>
#include <cstddef>
#include <limits>
#include <span>

#include "common/record.h"
#include "common/result.h"

namespace crnpd::store {

enum class CommitState { committed, notCommitted, unknown };

struct CommitOutcome {
    CommitState state = CommitState::committed;
    // Why not, unless committed. The code decides what clients are told (section 5 of docs/protocol.md):
    // noSpace LOW_RESOURCE, busy and superseded RETRY, anything else SYSTEM_ERROR.
    Error reason{ErrorCode::io, {}};
    // Of a fill() that was not committed: it had begun, and what was remembered of removals went with it.
    bool isCleared = false;

    static CommitOutcome committed() { return {}; }
    static CommitOutcome notCommitted(Error why) { return {CommitState::notCommitted, std::move(why)}; }
    static CommitOutcome unknown(Error why) { return {CommitState::unknown, std::move(why)}; }
};

class RegistrationStore {
public:
    RegistrationStore() = default;
    virtual ~RegistrationStore() = default;
    RegistrationStore(const RegistrationStore&) = delete;
    RegistrationStore& operator=(const RegistrationStore&) = delete;

    // Opens the store where that has not happened yet and reads everything committed so far, as of one
    // batch. May be called again to reload. `foreign` and `damaged` content is refused and left untouched.
    // busy: it cannot be reached at the moment. superseded: another server leads by now.
    [[nodiscard]] virtual Result<Snapshot> load() noexcept = 0;

    // The most changes that one commit takes; at least 1.
    [[nodiscard]] virtual std::size_t batchLimit() const noexcept = 0;
    // The most bytes that the registrations of one commit may have, summed over its changes.
    [[nodiscard]] virtual std::size_t bytesLimit() const noexcept {
        return std::numeric_limits<std::size_t>::max();
    }

    // Whether another server may have taken over and written without our noticing, because its lock is a
    // matter of time (a lease) and not of this machine. Then even a decision that changes nothing rests on
    // what may be out of date, until a commit has shown that we still lead.
    [[nodiscard]] virtual bool isShared() const noexcept { return false; }

    // `batch` is one more than the last committed one (Snapshot::head after load()); changes of one
    // batch touch an id at most once. A batch without changes shows that we still lead, and is for shared
    // stores only. What `events` has counts towards batchLimit() and bytesLimit() like the changes.
    [[nodiscard]] CommitOutcome commit(BatchId batch, std::span<const Change> changes,
                                       const EventChanges& events = {}) noexcept {
        return carryOut(batch, changes, events);
    }

    // After commit() answered unknown, and before anything else is called: waits at most `limit` to learn
    // what became of that batch. committed and notCommitted are final. Still unknown: the store takes no
    // further commits until load() was called again.
    [[nodiscard]] virtual CommitOutcome outcomeOf(BatchId batch,
                                                  std::chrono::milliseconds limit) noexcept = 0;

    // As commit(), but any number of changes, into a store that holds no clients; what is not among the
    // changes stays. An id or an address may be forgotten first and put later. All or nothing, also across a
    // crash, except that memories of removals may be lost with an attempt that failed.
    [[nodiscard]] virtual CommitOutcome fill(BatchId batch, std::span<const Change> changes) noexcept {
        return commit(batch, changes);
    }

    // Any thread. Whoever waits in outcomeOf() is answered as soon as possible, from now on: we no longer
    // lead, and nothing that is still unknown will be found out in time.
    virtual void abandon() noexcept {}

private:
    // commit(), by the store that it is.
    [[nodiscard]] virtual CommitOutcome carryOut(BatchId batch, std::span<const Change> changes,
                                                 const EventChanges& events) noexcept = 0;
};

}  // namespace crnpd::store
