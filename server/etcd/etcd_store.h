// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Registrations kept in etcd: survive the loss of any minority of its members.
//
// Promise    Each batch is one transaction, carried out only while the term of this store leads and directly
//            behind the batch before it; so a server that was paused or cut off cannot commit, whatever it
//            believes, and of several copies of one batch at most one is carried out.
// Threads    As registration_store.h; abandon() from any thread.
// Errors     superseded: another server leads, the batch was not and will never be carried out. unknown: no
//            member of etcd has answered; outcomeOf() sends the same transaction again. Where even an answer
//            cannot tell (another term has written behind us), it stays unknown.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <unordered_map>

#include "server/etcd/key_value.h"
#include "server/etcd/keys.h"
#include "server/etcd/warm_copy.h"
#include "server/store/registration_store.h"

namespace crnpd::etcd {

class EtcdStore final : public store::RegistrationStore {
public:
    struct Options {
        std::string prefix = "/crnpd";
        // How long a standby's copy may take to arrive at our revision before everything is read instead.
        std::chrono::milliseconds catchUpLimit{1000};
        // Between two attempts that were refused at once.
        std::chrono::milliseconds pause{50};
        // Waits that long; the simulation's does not.
        std::function<void(std::chrono::milliseconds)> wait;
    };

    // `etcd` and `copy` (null where there is none) must outlive it. `term` is what the election gave.
    EtcdStore(KeyValue& etcd, store::Term term, Options options, WarmCopy* copy);

    [[nodiscard]] Result<Snapshot> load() noexcept override;
    // 128 operations are the most etcd takes, and the head is one.
    [[nodiscard]] std::size_t batchLimit() const noexcept override { return 127; }
    // 1.5 MiB are, with keys and overhead.
    [[nodiscard]] std::size_t bytesLimit() const noexcept override { return 1'280 * 1024; }
    [[nodiscard]] bool isShared() const noexcept override { return true; }
    [[nodiscard]] store::CommitOutcome commit(BatchId batch,
                                              std::span<const Change> changes) noexcept override;
    [[nodiscard]] store::CommitOutcome outcomeOf(BatchId batch,
                                                 std::chrono::milliseconds limit) noexcept override;
    [[nodiscard]] store::CommitOutcome fill(BatchId batch, std::span<const Change> changes) noexcept override;
    void abandon() noexcept override { abandoned_ = true; }
};

}  // namespace crnpd::etcd
