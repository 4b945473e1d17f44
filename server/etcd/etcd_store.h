// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Registrations kept in etcd: survive the loss of any minority of its members.
//
// Promise    Each batch is one transaction, carried out only while the term of this store leads and directly
//            behind the batch before it; so a server that was paused or cut off cannot commit, whatever it
//            believes, and of several copies of one batch at most one is carried out.
// Threads    As registration_store.h; abandon() from any thread.
// Errors     superseded: another server leads, the batch was not and will never be carried out. unknown: no
//            member of etcd has answered; outcomeOf() sends the same transaction again. An answer settles it,
//            whoever leads by then, because the head tells which term ended at which batch; only after more
//            than a handful of other terms, or if somebody else wrote the head, it stays unknown.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "common/clock.h"
#include "server/etcd/attempts.h"
#include "server/etcd/key_value.h"
#include "server/etcd/keys.h"
#include "server/etcd/loading.h"
#include "server/etcd/row_sums.h"
#include "server/etcd/warm_copy.h"
#include "server/store/registration_store.h"

namespace crnpd::etcd {

class EtcdStore : public store::RegistrationStore {
public:
    struct Options {
        std::string prefix = "/crnpd";
        // How long a standby's copy may take to arrive at our revision before everything is read instead.
        std::chrono::milliseconds catchUpLimit{1000};
        // How long load(), and each step of fill(), goes on without an answer.
        std::chrono::milliseconds patience{10'000};
        // Between two attempts that were refused at once.
        std::chrono::milliseconds pause{50};
        // Waits that long; the simulation's does not. Empty: sleeps.
        std::function<void(std::chrono::milliseconds)> wait;
    };

    // `etcd`, `clock` and `copy` (null where there is none) must outlive it. `term` is what the election
    // gave.
    EtcdStore(KeyValue& etcd, const Clock& clock, store::Term term, Options options, WarmCopy* copy);

    [[nodiscard]] Result<Snapshot> load() noexcept override;
    // 128 operations are the most etcd takes in a transaction, and the head is one.
    [[nodiscard]] std::size_t batchLimit() const noexcept override { return 127; }
    // 1.5 MiB are. The rest is for 128 keys and their framing, about 130 bytes each and the prefix,
    // and for a mark with some thousand laggards.
    [[nodiscard]] std::size_t bytesLimit() const noexcept override { return 1'280UL * 1024; }
    [[nodiscard]] bool isShared() const noexcept override { return true; }
    [[nodiscard]] store::CommitOutcome outcomeOf(BatchId batch,
                                                 std::chrono::milliseconds limit) noexcept override;
    // Marks the head first, so that whoever finds the rows of an attempt that was not finished clears them
    // away. One that fails while we lead is cleared away by ourselves; unknown until that has succeeded.
    [[nodiscard]] store::CommitOutcome fill(BatchId batch, std::span<const Change> changes) noexcept override;
    void abandon() noexcept override { attempts_.abandon(); }

private:
    [[nodiscard]] store::CommitOutcome carryOut(BatchId batch, std::span<const Change> changes,
                                                const EventChanges& events) noexcept override;
    // One transaction, sent until its outcome is known.
    struct Step {
        Head head;  // what it puts
        RowSums::Staged staged;
        Transaction transaction;
        bool hasUnanswered = false;  // of its copies one may still be carried out
    };

    [[nodiscard]] std::optional<store::CommitOutcome> refusal(BatchId batch) const;
    [[nodiscard]] Step stepTo(Head head, RowSums& rows, std::span<const Change> changes,
                              const EventChanges& events = {}) const;
    [[nodiscard]] store::CommitOutcome attempt(Step& step) noexcept;
    [[nodiscard]] store::CommitOutcome judge(const Step& step, const TransactionAnswer& answer);
    [[nodiscard]] store::CommitOutcome settle(Step& step, std::chrono::milliseconds limit);
    void moveTo(const Head& head, Revision revision) noexcept;
    [[nodiscard]] store::CommitOutcome close(store::CommitOutcome outcome) noexcept;

    [[nodiscard]] store::CommitOutcome fillInSteps(BatchId batch, std::span<const Change> changes);
    [[nodiscard]] store::CommitOutcome undo(std::chrono::milliseconds limit);
    [[nodiscard]] std::optional<store::CommitOutcome> clear();

    const Clock& clock_;
    const Options options_;
    const Keys keys_;
    const store::Term term_;
    KeyValue& etcd_;
    WarmCopy* const copy_;
    Attempts attempts_;

    bool isReady_ = false;  // loaded, and what the head is is known since
    Head head_;
    Revision headRevision_ = 0;
    RowSums rows_;
    std::optional<Step> last_;       // the batch whose outcome is looked for
    std::optional<RowSums> filled_;  // the rows if `last_` is the end of fill()
    std::optional<Error> failed_;    // why fill() failed, while its rows are not cleared away
};

}  // namespace crnpd::etcd
