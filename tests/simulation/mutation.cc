// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/mutation.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace crnpd::simulation {
namespace {

using etcd::Revision;
using store::CommitOutcome;
using store::CommitState;

class AlteredEtcd : public etcd::KeyValue {
public:
    explicit AlteredEtcd(etcd::KeyValue& inner) : inner_(inner) {}

    Result<etcd::TransactionAnswer> transact(const etcd::Transaction& transaction) noexcept override {
        return inner_.transact(transaction);
    }
    Result<etcd::Page> read(const std::string& prefix, const std::string& after, Revision at,
                            std::size_t limit) noexcept override {
        return inner_.read(prefix, after, at, limit);
    }

protected:
    // A batch asks for leader and head if it is refused, the fence for the format too.
    static bool isBatch(const etcd::Transaction& transaction) { return transaction.otherwise.size() == 2; }
    static bool isFence(const etcd::Transaction& transaction) { return transaction.otherwise.size() == 3; }

    etcd::KeyValue& inner_;
};

class WithoutGuard final : public AlteredEtcd {
public:
    using AlteredEtcd::AlteredEtcd;
    Result<etcd::TransactionAnswer> transact(const etcd::Transaction& transaction) noexcept override {
        if (!isBatch(transaction)) return inner_.transact(transaction);
        auto bare = transaction;
        bare.conditions.clear();
        return inner_.transact(bare);
    }
};

// What was not answered is sent again with the guard of the day.
class BlindRetry final : public AlteredEtcd {
public:
    using AlteredEtcd::AlteredEtcd;
    Result<etcd::TransactionAnswer> transact(const etcd::Transaction& transaction) noexcept override {
        if (!isBatch(transaction)) return inner_.transact(transaction);
        const auto& head = std::get<etcd::Put>(transaction.then.back()).value;
        if (std::exchange(unanswered_, {}) != head) {
            auto answer = inner_.transact(transaction);
            if (!answer) unanswered_ = head;
            return answer;
        }
        auto again = transaction;
        const auto now = inner_.transact({{}, transaction.otherwise, {}});
        for (std::size_t i = 0; now && i < now->got.size(); ++i) {
            const auto& row = now->got[i];
            auto& condition = again.conditions[i];
            condition.is = !row                                           ? 0
                           : condition.of == etcd::Condition::Of::created ? row->created
                                                                          : row->modified;
        }
        auto answer = inner_.transact(again);
        if (!answer) unanswered_ = head;
        return answer;
    }

private:
    std::string unanswered_;
};

// What was read is believed, although it may be from the past and is anybody's to change.
class WithoutFence final : public AlteredEtcd {
public:
    using AlteredEtcd::AlteredEtcd;
    Result<etcd::TransactionAnswer> transact(const etcd::Transaction& transaction) noexcept override {
        believed_ = isFence(transaction) ? transaction.conditions.at(1).is : 0;
        if (believed_ != 0) return etcd::TransactionAnswer{true, believed_, {}};
        auto answer = inner_.transact(transaction);
        if (answer) lastSeen_ = answer->revision;
        return answer;
    }
    Result<etcd::Page> read(const std::string& prefix, const std::string& after, Revision at,
                            std::size_t limit) noexcept override {
        return inner_.read(prefix, after, at == believed_ ? lastSeen_ : at, limit);
    }

private:
    Revision believed_ = 0;
    Revision lastSeen_ = 0;
};

class AlteredStore : public store::RegistrationStore {
public:
    explicit AlteredStore(store::RegistrationStore& inner) : inner_(inner) {}

    Result<Snapshot> load() noexcept override { return inner_.load(); }
    std::size_t batchLimit() const noexcept override { return inner_.batchLimit(); }
    std::size_t bytesLimit() const noexcept override { return inner_.bytesLimit(); }
    bool isShared() const noexcept override { return inner_.isShared(); }
    CommitOutcome carryOut(BatchId batch, std::span<const Change> changes,
                           const EventChanges& events) noexcept override {
        return inner_.commit(batch, changes, events);
    }
    CommitOutcome outcomeOf(BatchId batch, std::chrono::milliseconds limit) noexcept override {
        return inner_.outcomeOf(batch, limit);
    }
    CommitOutcome fill(BatchId batch, std::span<const Change> changes) noexcept override {
        return inner_.fill(batch, changes);
    }
    void abandon() noexcept override { inner_.abandon(); }

protected:
    store::RegistrationStore& inner_;
};

// Says so before it is so; the commit follows with the next one.
class EarlyStore final : public AlteredStore {
public:
    using AlteredStore::AlteredStore;
    CommitOutcome carryOut(BatchId batch, std::span<const Change> changes,
                           const EventChanges& events) noexcept override {
        if (auto failed = commitHeld(); failed.state != CommitState::committed) return failed;
        held_.emplace(Held{batch, {changes.begin(), changes.end()}, events});
        return CommitOutcome::committed();
    }
    ~EarlyStore() override { (void)commitHeld(); }

private:
    CommitOutcome commitHeld() {
        const auto held = std::exchange(held_, {});
        if (!held) return CommitOutcome::committed();
        auto outcome = inner_.commit(held->batch, held->changes, held->events);
        if (outcome.state != CommitState::unknown) return outcome;
        return inner_.outcomeOf(held->batch, std::chrono::seconds{3});
    }

    struct Held {
        BatchId batch;
        std::vector<Change> changes;
        EventChanges events;
    };
    std::optional<Held> held_;
};

class HastyStore final : public AlteredStore {
public:
    using AlteredStore::AlteredStore;
    CommitOutcome carryOut(BatchId batch, std::span<const Change> changes,
                           const EventChanges& events) noexcept override {
        auto outcome = inner_.commit(batch, changes, events);
        if (outcome.state == CommitState::unknown) outcome.state = CommitState::notCommitted;
        return outcome;
    }
};

class UnsharedStore final : public AlteredStore {
public:
    using AlteredStore::AlteredStore;
    bool isShared() const noexcept override { return false; }
};

// Acknowledges events that it does not keep.
class EventlessStore final : public AlteredStore {
public:
    using AlteredStore::AlteredStore;
    CommitOutcome carryOut(BatchId batch, std::span<const Change> changes,
                           const EventChanges& /*events*/) noexcept override {
        return inner_.commit(batch, changes);
    }
};

// The numbers go on above the rows that are left, as if a number went with its row.
class ForgetfulStore final : public AlteredStore {
public:
    using AlteredStore::AlteredStore;
    Result<Snapshot> load() noexcept override {
        auto rows = inner_.load();
        if (rows) rows->last = rows->events.empty() ? 0 : rows->events.back().sequence;
        return rows;
    }
};

template <typename Altered>
Mutation ofEtcd() {
    Mutation mutation;
    mutation.etcd = [](etcd::KeyValue& inner) { return std::make_unique<Altered>(inner); };
    return mutation;
}

template <typename Altered>
Mutation ofStore() {
    Mutation mutation;
    mutation.store = [](store::RegistrationStore& inner) { return std::make_unique<Altered>(inner); };
    mutation.judgeByAnswersOnly = true;
    return mutation;
}

}  // namespace

Mutation guardDropped() {
    auto mutation = ofEtcd<WithoutGuard>();
    mutation.judgeByAnswersOnly = true;
    return mutation;
}
Mutation replyBeforeCommit() {
    return ofStore<EarlyStore>();
}
Mutation blindRetry() {
    auto mutation = ofEtcd<BlindRetry>();
    mutation.judgeByAnswersOnly = true;
    return mutation;
}
Mutation unknownRefused() {
    return ofStore<HastyStore>();
}
Mutation settledUnconfirmed() {
    return ofStore<UnsharedStore>();
}
// Guards still refuse what rests on the past, so no client is told a lie: the server is of no use instead.
Mutation fenceSkipped() {
    return ofEtcd<WithoutFence>();
}

Mutation eventsNotStored() {
    auto mutation = ofStore<EventlessStore>();
    mutation.judgeByAnswersOnly = false;
    return mutation;
}
Mutation lastNumberForgotten() {
    auto mutation = ofStore<ForgetfulStore>();
    mutation.judgeByAnswersOnly = false;
    return mutation;
}

}  // namespace crnpd::simulation
