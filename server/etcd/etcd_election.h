// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The election of the replicated store: whoever's key is in etcd leads, as long as its lease is kept alive.
//
// Promise    As election.h. A server that resigns is succeeded at once, one that died after its lease's time.
//            A campaign goes on whatever etcd or this machine says, because all of it may be mended (members
//            that are away, no space, a wrong password, no threads); obstacle() tells. leader() is empty
//            while no member answers.
// Threads    campaign(), stillLeading() and resign() from one thread; onLoss's callback comes on a thread
//            of a leadership's and must not call them. A lost leadership's threads end in resign() or the
//            next campaign().
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "server/etcd/key_value.h"
#include "server/etcd/keys.h"
#include "server/etcd/leadership.h"
#include "server/etcd/leases.h"
#include "server/etcd/tenure.h"
#include "server/store/election.h"

namespace crnpd::etcd {

class EtcdElection final : public store::Election {
public:
    struct Options {
        Keys keys{"/crnpd"};
        Leader self;
        std::chrono::seconds leaseTime{3};  // at least 1
        // The first campaign does not wait for the other server's lease: it has been fenced.
        bool seize = false;
        std::string leaseFile;  // see lease_file.h; none where empty
        // Between two attempts of which the first failed.
        std::chrono::milliseconds pause{100};
        // What that grows to, doubled each time, while etcd's answer is no: each question costs it something
        // (a password takes its processor for a while), and what it says is not mended that soon.
        std::chrono::milliseconds longestPause{2000};
        // How long a resignation tries to reach etcd; the lease ends by itself anyway.
        std::chrono::milliseconds resignLimit{3000};
    };

    // All references must outlive it.
    EtcdElection(KeyValue& etcd, Leases& leases, Watches& watches, const Clock& clock, Options options);
    ~EtcdElection() override;

    [[nodiscard]] Result<store::Term> campaign(std::stop_token stop) noexcept override;
    [[nodiscard]] StillLeading stillLeading() const override;
    void resign() noexcept override;
    [[nodiscard]] std::string leader() const override;
    [[nodiscard]] std::string obstacle() const override;
    void onLoss(const std::function<void(const std::string& reason)>& lost) override { lost_ = lost; }

private:
    // One attempt to be elected, and if somebody else leads the wait for his end. Throws where there is no
    // memory, or no thread.
    [[nodiscard]] Result<std::optional<store::Term>> takeTurn(const std::stop_token& stop);
    [[nodiscard]] Result<Standing> stand();
    [[nodiscard]] Result<void> takeLease();
    [[nodiscard]] store::Term lead(const Standing& standing);
    [[nodiscard]] Result<void> awaitVacancy(Revision from, const std::stop_token& stop);
    // Between a resignation and the next campaign: tells leader() who was elected, other than our `term`.
    void startWatchingSuccessor(store::Term term) noexcept;
    void watchSuccessor(store::Term term, const std::stop_token& stop) noexcept;
    // True if the leader's key went with the last of them.
    bool noteLeaderIn(const std::vector<Event>& events);
    void note(const std::optional<Error>& trouble) noexcept;
    [[nodiscard]] std::string allUnanswered(const std::string& latest);
    void noteLeader(std::string name);
    // Revokes what we hold; false if etcd did not answer in time.
    bool dropLease(SteadyTime until) noexcept;

    KeyValue& etcd_;
    Leases& leases_;
    Watches& watches_;
    const Clock& clock_;
    const Options options_;
    std::function<void(const std::string&)> lost_;
    Tenure::Lease lease_;  // this and the next two: of the thread that campaigns
    bool hasSeized_ = false;
    std::unique_ptr<Tenure> tenure_;

    mutable std::mutex mutex_;  // guards the rest
    std::string leader_;
    std::vector<std::string> unanswered_;  // since etcd answered last
    std::string obstacle_;

    std::jthread successor_;  // ends first: it uses the rest
};

}  // namespace crnpd::etcd
