// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// One server of the simulation: the real leadership, store, registry and committer, with the moves of
// failover between them, taken step by step.
//
// A step may block in a call to etcd; then the others take theirs inside of it, and this node takes none
// until the call returns. What other threads of a real server do meanwhile (keep the lease alive, notice a
// loss) and what may happen to it (a crash) are calls of their own, allowed at any time.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "server/commit/group_commit.h"
#include "server/etcd/etcd_store.h"
#include "server/failover/role.h"
#include "tests/simulation/coverage.h"
#include "tests/simulation/mutation.h"
#include "tests/simulation/publications.h"
#include "tests/support/manual_clock.h"
#include "tests/support/simulated_etcd.h"

namespace crnpd::simulation {

// What a node sees of the simulation around it.
class Surroundings {
public:
    virtual ~Surroundings() = default;
    virtual void othersGoOn() = 0;
    // It can be true only if a promise was broken.
    virtual void report(const std::string& violation) = 0;
    virtual void count(const char* event) = 0;
    virtual void trace(const std::string& line) = 0;
    // What is known of events.
    virtual Publications& publications() = 0;
};

class Node {
public:
    struct Setting {
        support::SimulatedEtcd& etcd;
        support::ManualClock& clock;
        support::Random& random;
        const support::Faults& faults;
        const Mutation& mutation;
        registry::Rules rules;
    };

    Node(std::string name, const Setting& setting, Surroundings& around);

    void step();
    [[nodiscard]] bool isInACall() const { return isInACall_; }
    [[nodiscard]] bool isActive() const;
    [[nodiscard]] const std::string& name() const { return name_; }

    // False: nobody listens.
    [[nodiscard]] bool submit(const registry::Request& request, const commit::Completion& completion);
    [[nodiscard]] bool publish(std::shared_ptr<const Event> event, const commit::Published& published);

    void keepLeaseAlive();
    void noticeLoss();
    // The process is gone, and with it every completion.
    void die();
    void cut(bool isCut);
    // No hand-overs any more.
    void calmDown() { isCalm_ = true; }

private:
    struct Life;

    void begin();
    void standBy();
    void lead(store::Term term);
    [[nodiscard]] bool open(store::Term term);
    void serve();
    void stepDown(const char* reason);
    void process(std::size_t most);
    void leave();
    void move(failover::Role to, const char* reason);
    [[nodiscard]] bool happens(unsigned thousandths);

    std::string name_;
    Setting setting_;
    Surroundings& around_;
    std::shared_ptr<Life> life_;  // from one crash to the next
    bool isInACall_ = false;
    bool isCut_ = false;
    bool isCalm_ = false;
};

}  // namespace crnpd::simulation
