// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/store/sqlite_store.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

#include "common/crash_point.h"
#include "server/store/sqlite_session.h"
#include "server/store/store_file.h"

namespace crnpd::store {
namespace {

using Written = SqliteSession::Written;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds firstPause{2};
constexpr milliseconds longestPause{100};

// What the standard library throws at us is memory running out; there is nothing else to be caught.
Error outOfMemory() noexcept {
    return {ErrorCode::noSpace, "out of memory"};
}

}  // namespace

SqliteStore::SqliteStore(SqliteOptions options) : options_(std::move(options)) {}
SqliteStore::~SqliteStore() = default;

Result<Snapshot> SqliteStore::load() noexcept {
    try {
        session_.reset();
        refuse("the store needs to be loaded again");
        auto snapshot = openAndLoad();
        if (!snapshot) {
            session_.reset();
            return snapshot;
        }
        head_ = snapshot->head;
        unresolved_.reset();
        refusal_.clear();
        return snapshot;
    } catch (const std::exception&) {
        session_.reset();
        return outOfMemory();
    }
}

Result<Snapshot> SqliteStore::openAndLoad() {
    const auto path = canonicalPath(options_.path);
    if (!path) return path.error();
    const auto found = inspectFile(*path);
    if (!found) return found.error();
    if (*found == FileState::absent) {
        if (auto created = createFile(*path, options_.vfs); !created) return created.error();
    }
    auto session = SqliteSession::open(*path, options_);
    if (!session) return session.error();
    crashPoint("sqlite_opened");
    session_ = std::move(*session);
    return session_->load();
}

CommitOutcome SqliteStore::carryOut(BatchId batch, std::span<const Change> changes,
                                    const EventChanges& events) noexcept {
    try {
        if (!refusal_.empty()) return CommitOutcome::notCommitted({ErrorCode::io, refusal_});
        if (unresolved_) {
            return CommitOutcome::notCommitted(
                {ErrorCode::io, "the outcome of the batch before is still unknown"});
        }
        return commitToSession(batch, changes, events);
    } catch (const std::exception&) {
        // Nothing throws once COMMIT was issued but the making of an error text.
        return leaveUnresolved(batch, changes, events, outOfMemory());
    }
}

CommitOutcome SqliteStore::commitToSession(BatchId batch, std::span<const Change> changes,
                                           const EventChanges& events) {
    auto attempt = session_->write(batch, changes, events);
    switch (attempt.written) {
        case Written::durably:
            head_ = batch;
            return CommitOutcome::committed();
        case Written::not_:
            return CommitOutcome::notCommitted(std::move(*attempt.error));
        case Written::notInFull:
            return ranOutOfSpace(batch, std::move(*attempt.error));
        case Written::guardDidNotHold:
            refuse(attempt.error->text);
            return CommitOutcome::notCommitted(std::move(*attempt.error));
        case Written::perhaps:
            break;
    }
    return leaveUnresolved(batch, changes, events, std::move(*attempt.error));
}

// SQLITE_FULL comes from a write that the disk took only in part, never from a sync (that is
// SQLITE_IOERR_FSYNC). The frame that marks the transaction's end is the last one written, so it is missing
// or cut short, and recovery stops before it: the batch is not committed. A frame that was cut short could be
// completed by bytes that lay there before only where overwriting needs new space (copy-on-write file
// systems); the fence, which writes a single page over the first frame, closes that too wherever it fits. If
// it meets another error, then the disk does more than being full and nothing is certain.
CommitOutcome SqliteStore::ranOutOfSpace(BatchId batch, Error error) {
    auto fence = session_->fence(batch - 1);
    if (fence.written == Written::perhaps) {
        return leaveUnresolved(batch, std::move(*fence.error));
    }
    return CommitOutcome::notCommitted(std::move(error));
}

CommitOutcome SqliteStore::leaveUnresolved(BatchId batch, Error error) noexcept {
    unresolved_.emplace(Unresolved{.batch = batch, .reason = {error.code, {}}});
    try {
        unresolved_->reason.text = error.text;
    } catch (const std::exception&) {
        // Its code says enough.
    }
    return CommitOutcome::unknown(std::move(error));
}

CommitOutcome SqliteStore::leaveUnresolved(BatchId batch, std::span<const Change> changes,
                                           const EventChanges& events, Error error) noexcept {
    auto outcome = leaveUnresolved(batch, std::move(error));
    try {
        unresolved_->changes.assign(changes.begin(), changes.end());
        unresolved_->events = events;
        unresolved_->isKept = true;
    } catch (const std::exception&) {
        // Without its content the batch can still be fenced off.
    }
    return outcome;
}

CommitOutcome SqliteStore::outcomeOf(BatchId batch, milliseconds limit) noexcept {
    try {
        if (!session_ || !unresolved_ || unresolved_->batch != batch) {
            return CommitOutcome::unknown(
                {ErrorCode::invalidArgument, "that batch was not answered unknown"});
        }
        const auto deadline = steady_clock::now() + limit;
        for (auto pause = firstPause;; pause = std::min(pause * 2, longestPause)) {
            if (auto outcome = settle()) {
                if (outcome->state == CommitState::committed) head_ = batch;
                unresolved_.reset();
                return *outcome;
            }
            if (!refusal_.empty() || steady_clock::now() + pause >= deadline) break;
            std::this_thread::sleep_for(pause);
        }
        refuse("what became of batch " + std::to_string(batch) +
               " is unknown; the store needs to be loaded again: " + unresolved_->reason.text);
        return CommitOutcome::unknown(unresolved_->reason);
    } catch (const std::exception&) {
        refuse("out of memory");
        return CommitOutcome::unknown(outOfMemory());
    }
}

// First the same batch again: if it succeeds its clients get their OK. Else the fence, which needs less space
// and makes sure that the batch never shows up.
std::optional<CommitOutcome> SqliteStore::settle() {
    Error reason = unresolved_->reason;
    if (unresolved_->isKept) {
        auto again = session_->write(unresolved_->batch, unresolved_->changes, unresolved_->events);
        if (again.written == Written::durably) return CommitOutcome::committed();
        if (again.written == Written::guardDidNotHold) {
            refuse(again.error->text);
            return std::nullopt;
        }
        reason = std::move(*again.error);
    }
    const auto fence = session_->fence(unresolved_->batch - 1);
    if (fence.written != Written::durably) return std::nullopt;
    return CommitOutcome::notCommitted(std::move(reason));
}

void SqliteStore::refuse(std::string why) noexcept {
    refusal_ = std::move(why);
}

}  // namespace crnpd::store
