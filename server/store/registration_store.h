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
#include <span>

#include "common/record.h"
#include "common/result.h"

namespace crnpd::store {

enum class CommitState { committed, notCommitted, unknown };

struct CommitOutcome {
    CommitState state = CommitState::committed;
    // Why not, unless committed. The code decides what clients are told (section 5 of docs/protocol.md):
    // noSpace LOW_RESOURCE, busy RETRY, anything else SYSTEM_ERROR.
    Error reason{ErrorCode::io, {}};

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
    [[nodiscard]] virtual Result<Snapshot> load() noexcept = 0;

    // The most changes that one commit takes; at least 1.
    [[nodiscard]] virtual std::size_t batchLimit() const noexcept = 0;

    // `batch` is one more than the last committed one (Snapshot::head after load()); changes of one
    // batch touch an id at most once. An empty batch is not committed: do not call.
    [[nodiscard]] virtual CommitOutcome commit(BatchId batch, std::span<const Change> changes) noexcept = 0;

    // After commit() answered unknown, and before anything else is called: waits at most `limit` to learn
    // what became of that batch. committed and notCommitted are final. Still unknown: the store takes no
    // further commits until load() was called again.
    [[nodiscard]] virtual CommitOutcome outcomeOf(BatchId batch,
                                                  std::chrono::milliseconds limit) noexcept = 0;
};

}  // namespace crnpd::store
