// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A few servers on one etcd, clients that repeat what was not answered, and events that are published now and
// then, all in one thread: what happens, and in which order, is drawn from the seed, so the same seed is the
// same story.
//
// Nothing runs at the same time, but everything happens in between: before and after each call to etcd the
// other nodes, the clients, the leases and the transactions that are under way go on for a while, sometimes
// for longer than a lease. So a node is paused at every point where it waits for etcd, and nowhere else, as
// its memory is nobody else's.
//
// Checked    What clients are told, by History (P1 to P3). That no commit carries an older term than one
//            before (P4), that batches are counted one by one. That nobody is told SYSTEM_ERROR, that what
//            is in etcd is never refused as damaged, and that once all is well again every client is
//            answered. What publishers of events are told, by Publications.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/coverage.h"
#include "tests/simulation/mutation.h"
#include "tests/simulation/node.h"
#include "tests/support/history.h"

namespace crnpd::simulation {

class Client;

class Simulation final : public Surroundings {
public:
    // `tells`: prints what happens.
    Simulation(std::uint64_t seed, const Mutation& mutation, Coverage& coverage, bool tells = false);
    ~Simulation() override;

    // What was wrong; empty: nothing.
    [[nodiscard]] std::string run();
    // A number that stands for all that happened.
    [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }

    void othersGoOn() override;
    void report(const std::string& violation) override;
    void count(const char* event) override { ++coverage_[event]; }
    void trace(const std::string& line) override;
    Publications& publications() override { return publications_; }

private:
    friend class Client;

    void drawFaults();
    void step();
    void happen();
    void trouble();
    void stepNode();
    void publish();
    void keepLeases();
    void observe(const etcd::Transaction& transaction);
    void heal();
    void look();
    void addCounts();
    [[nodiscard]] std::uint64_t draw(std::uint64_t below) { return random_() % below; }

    support::Random random_;
    const Mutation& mutation_;
    Coverage& coverage_;
    const bool tells_;
    support::ManualClock clock_;
    support::SimulatedEtcd etcd_{clock_};
    support::Faults faults_;
    registry::Rules rules_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::string violation_;
    std::uint64_t fingerprint_ = 0;
    etcd::Head lastHead_;
    Publications publications_;
    unsigned stepsLeft_ = 0;
    unsigned depth_ = 0;
    bool isQuiet_ = false;   // nothing goes wrong any more
    bool isFrozen_ = false;  // within a long pause leases are not kept alive
};

}  // namespace crnpd::simulation
