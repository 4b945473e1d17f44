// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// An etcd in memory, and ways to it that lose, repeat and delay what is sent, by a seeded generator.
//
//     ManualClock clock;
//     SimulatedEtcd etcd(clock);
//     SimulatedLink link(etcd);            // a perfect one, until it is told otherwise
//
// SimulatedEtcd is what is true: one order of transactions, revisions, leases that end when the clock says
// so, and what was there at any earlier revision. A SimulatedLink is one node's way to it. What it sends may
// be carried out at once, never, or at any later time (SimulatedEtcd::deliverLate(), which the test calls
// when it likes), and may not be answered in either case. What only reads may be answered from the past.
//
// Threads    One.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "server/etcd/key_value.h"
#include "server/etcd/leases.h"
#include "tests/support/manual_clock.h"

namespace crnpd::support {

using Random = std::mt19937_64;

class SimulatedEtcd {
public:
    struct Counts {
        std::uint64_t transactions = 0;
        std::uint64_t lost = 0;
        std::uint64_t dropped = 0;  // carried out, not answered
        std::uint64_t repeated = 0;
        std::uint64_t lateAccepted = 0;  // carried out when nobody waited for it any more
        std::uint64_t lateRefused = 0;   // its conditions did not hold any more
        std::uint64_t stale = 0;
        std::uint64_t noSpace = 0;
        std::uint64_t leasesEnded = 0;
    };
    // Hears of every transaction that changed something, after it.
    using Observer = std::function<void(const etcd::Transaction&)>;

    explicit SimulatedEtcd(const ManualClock& clock) : clock_(clock) {}

    [[nodiscard]] Result<etcd::TransactionAnswer> carryOut(const etcd::Transaction& transaction);
    // As it would have been answered at that revision; only for what only reads.
    [[nodiscard]] etcd::TransactionAnswer answerAt(const etcd::Transaction& transaction,
                                                   etcd::Revision at) const;
    [[nodiscard]] Result<etcd::Page> read(const std::string& prefix, const std::string& after,
                                          etcd::Revision at, std::size_t limit) const;
    [[nodiscard]] std::optional<etcd::Row> row(const std::string& key) const { return rowAt(key, revision_); }
    [[nodiscard]] etcd::Revision revision() const { return revision_; }
    // What was there before `revision` cannot be read any more.
    void compact(etcd::Revision revision) { compacted_ = revision; }

    void keepForLater(etcd::Transaction transaction) { late_.push_back(std::move(transaction)); }
    [[nodiscard]] bool hasLate() const { return !late_.empty(); }
    // One of those that are under way arrives.
    void deliverLate(Random& random);

    [[nodiscard]] Result<etcd::LeaseId> grant(std::chrono::milliseconds time);
    [[nodiscard]] Result<void> keepAlive(etcd::LeaseId lease);
    void revoke(etcd::LeaseId lease);
    // Ends those whose time is over. To be called after the clock was moved.
    void endLeases();

    void setFull(bool full) { isFull_ = full; }
    [[nodiscard]] bool isFull() const { return isFull_; }
    void observe(Observer observer) { observer_ = std::move(observer); }
    [[nodiscard]] Counts& counts() { return counts_; }

private:
    struct Version {
        etcd::Revision at = 0;
        std::optional<etcd::Row> row;
    };
    struct Lease {
        std::chrono::milliseconds time{};
        SteadyTime end;
    };

    [[nodiscard]] std::optional<etcd::Row> rowAt(const std::string& key, etcd::Revision at) const;
    [[nodiscard]] bool holds(const etcd::Transaction& transaction, etcd::Revision at) const;
    void set(const std::string& key, std::optional<etcd::Row> row);
    void put(const etcd::Put& put);
    void remove(const etcd::Delete& deletion);

    const ManualClock& clock_;
    etcd::Revision revision_ = 1;
    etcd::Revision compacted_ = 0;
    std::map<std::string, std::vector<Version>> rows_;
    std::map<etcd::LeaseId, Lease> leases_;
    etcd::LeaseId lastLease_ = 0;
    std::deque<etcd::Transaction> late_;
    bool isFull_ = false;
    bool hasChanged_ = false;
    Observer observer_;
    Counts counts_;
};

// How often what goes wrong, in thousandths.
struct Faults {
    unsigned lost = 0;
    unsigned late = 0;
    unsigned dropped = 0;
    unsigned repeated = 0;
    unsigned stale = 0;
};

class SimulatedLink final : public etcd::KeyValue, public etcd::Leases {
public:
    explicit SimulatedLink(SimulatedEtcd& etcd) : etcd_(etcd) {}
    // Fails as `faults` say, which may change. `pause` is called before and after everything that is sent, as
    // the others go on while this node waits.
    SimulatedLink(SimulatedEtcd& etcd, const Faults& faults, Random& random, std::function<void()> pause)
        : etcd_(etcd), faults_(&faults), random_(&random), pause_(std::move(pause)) {}

    // Nothing is sent any more and nothing that was is answered: a cable was pulled, the process has died.
    void cut(bool isCut) { isCut_ = isCut; }

    [[nodiscard]] Result<etcd::TransactionAnswer> transact(
        const etcd::Transaction& transaction) noexcept override;
    [[nodiscard]] Result<etcd::Page> read(const std::string& prefix, const std::string& after,
                                          etcd::Revision at, std::size_t limit) noexcept override;
    [[nodiscard]] Result<etcd::LeaseId> grant(std::chrono::seconds time) noexcept override;
    [[nodiscard]] Result<void> keepAlive(etcd::LeaseId lease) noexcept override;
    [[nodiscard]] Result<void> revoke(etcd::LeaseId lease) noexcept override;

private:
    [[nodiscard]] bool happens(unsigned thousandths);
    [[nodiscard]] etcd::Revision somewhatAgo();
    void wait() const;
    [[nodiscard]] Result<etcd::TransactionAnswer> send(const etcd::Transaction& transaction);
    template <typename Call>
    auto call(Call&& toEtcd) -> decltype(toEtcd());

    SimulatedEtcd& etcd_;
    const Faults* faults_ = nullptr;
    Random* random_ = nullptr;
    std::function<void()> pause_;
    bool isCut_ = false;
};

}  // namespace crnpd::support
