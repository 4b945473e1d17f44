// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Decides a number of acts (messages, events, what the delivery keeps) in their order, commits their changes
// in groups and answers each when its outcome is known. What the committer's thread does, without the thread.
//
// Promise    A completion that carries OK is called after the change was committed. Any other reply means
//            that nothing was changed, now or later. No reply means that nobody knows: the connection is
//            closed without one and the client repeats ("outcome is unknown", section 4 of
//            docs/protocol.md).
//            The Audience hears what was committed, in the order of the decisions, before anybody is
//            answered; of what was not committed, or nobody knows, it hears nothing. Once the store was read
//            anew it hears AllReloaded instead.
// Threads    One at a time; calls block as long as the store does. Completions and questions run inside
//            them and must not throw.
// Failure    A store that refuses, or memory that runs out, costs the requests of that group their OK and
//            nothing else. When an outcome cannot be found out, a store of our own is loaded anew before the
//            next group, restore or question; until that works, requests are refused by its reason without
//            being attempted, and questions are told that the registry is out of date. On a shared store
//            another server may lead by then: this one is over, answers RETRY to everything and says so once
//            by Superseded.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/committed.h"
#include "server/commit/acts.h"
#include "server/registry/registry.h"
#include "server/store/registration_store.h"

namespace crnpd::commit {

// The committed state as a question sees it.
struct View {
    const registry::Registry& registry;
    BatchId head;
    bool isCurrent;  // false: the store may hold something else, and cannot be read
};
using Question = std::function<void(const View&)>;

// This server does not lead any more, as its store has told.
using Superseded = std::function<void(const std::string& reason)>;

class GroupCommit {
public:
    struct Options {
        // How long to look for an unknown outcome before its clients are left without a reply.
        std::chrono::milliseconds outcomeLimit = std::chrono::seconds{10};
        Superseded superseded;
        Audience audience{};  // null: nobody listens
    };

    GroupCommit(store::RegistrationStore& store, const Clock& clock, const registry::Rules& rules,
                Options options);
    GroupCommit(const GroupCommit&) = delete;
    GroupCommit& operator=(const GroupCommit&) = delete;

    // Goes on with what the store holds.
    void load(const Snapshot& snapshot);
    void setRules(const registry::Rules& rules);

    void process(std::span<Act> acts);

    // Puts `rows` into a store that holds no clients (crnpctl restore). superseded: it may have been changed;
    // the server that leads by now, or next, knows, or this one as soon as its store can be read. Anything
    // else: nothing was changed.
    [[nodiscard]] Result<void> fill(const Snapshot& rows);

    // Loads the store anew where what it holds is not known. What fails is tried again before whatever comes
    // next.
    void lookAgain();

    // Answers RETRY to whatever is not being committed already.
    void end(const std::string& reason);

    // Set while it waits for what takes as long as it takes (a restore, an outcome that is not known yet): no
    // sign that its thread is stuck. May be read on any thread, also when this is gone.
    [[nodiscard]] std::shared_ptr<const std::atomic<bool>> isAtLongWork() const { return isAtLongWork_; }

    [[nodiscard]] View view() const noexcept { return {registry_, head_, !lost_}; }

private:
    struct Pending {
        Act act;
        registry::Decision decision;
    };

    // Decides and commits one group from the front of `acts`; returns what is left.
    std::span<Act> commitGroup(std::span<Act> acts);
    std::span<Act> decideGroup(std::span<Act> acts, registry::Staging& staging,
                               std::vector<Pending>& pending);
    void decideOne(Act& act, WallTime now, registry::Staging& staging, std::vector<Pending>& pending);
    [[nodiscard]] bool fitsAlone(const Act& act, const registry::Staging& staging) const;
    [[nodiscard]] bool hasRoom(const registry::Staging& staging, const Act& act) const;
    void finish(registry::Staging&& staging, std::span<Pending> pending);
    void take(registry::Staging&& staging);
    void tell(std::vector<Committed> told);
    [[nodiscard]] store::CommitOutcome outcomeOf(BatchId batch, store::CommitOutcome first,
                                                 std::size_t changes);
    void refuseAll(std::span<Pending> pending, const Error& reason);
    void leaveAllUnanswered(std::span<Pending> pending, const Error& reason);
    void loseTrack(const Error& reason);
    [[nodiscard]] store::CommitOutcome fillStore(const Snapshot& rows);
    // `waiting`: how many requests are refused if that does not work.
    [[nodiscard]] Result<void> recover(std::size_t waiting);
    void lookAgainAfterFilling();
    [[nodiscard]] Result<void> whatBecameOf(const Snapshot& rows, const Error& reason);
    [[nodiscard]] Result<void> reload();

    store::RegistrationStore& store_;
    const Clock& clock_;
    const Options options_;
    registry::Registry registry_;
    BatchId head_ = 0;
    bool lost_ = false;  // the store may hold what the registry does not: recover() comes first
    const std::shared_ptr<std::atomic<bool>> isAtLongWork_ = std::make_shared<std::atomic<bool>>(false);
    bool over_ = false;  // another server leads, or will: nothing is attempted any more
};

}  // namespace crnpd::commit
