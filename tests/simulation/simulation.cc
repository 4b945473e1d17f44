// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/simulation.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "server/etcd/etcd_store.h"
#include "server/etcd/leadership.h"
#include "tests/simulation/client.h"

namespace crnpd::simulation {
namespace {

constexpr unsigned stepsPerStory = 500;
constexpr unsigned stepsToHeal = 3000;
constexpr unsigned deepest = 6;

}  // namespace

Simulation::Simulation(std::uint64_t seed, const Mutation& mutation, Coverage& coverage, bool tells)
    : random_(seed),
      mutation_(mutation),
      coverage_(coverage),
      tells_(tells),
      publications_([this](const std::string& violation) {
          if (!mutation_.judgeByAnswersOnly) report(violation);
      }) {
    drawFaults();
    const bool removalsFade = draw(8) == 0;
    if (removalsFade) rules_.removalMemory = std::chrono::seconds{5};
    etcd_.observe([this](const etcd::Transaction& transaction) { observe(transaction); });
    const auto nodes = 2 + draw(2);
    for (std::uint64_t i = 0; i < nodes; ++i) {
        const Node::Setting setting{etcd_, clock_, random_, faults_, mutation_, rules_};
        nodes_.push_back(std::make_unique<Node>(fmt::format("node{}", i + 1), setting, *this));
    }
    const auto clients = 1 + draw(4);
    for (std::uint64_t i = 0; i < clients; ++i) {
        const auto messages = static_cast<unsigned>(6 + draw(20));
        clients_.push_back(
            std::make_unique<Client>(*this, static_cast<std::uint16_t>(2001 + i), messages, removalsFade));
    }
}

// Nodes still call to etcd while they go.
Simulation::~Simulation() {
    isQuiet_ = true;
    nodes_.clear();
}

// Some stories are of one trouble, some of many, some of none.
void Simulation::drawFaults() {
    const auto rate = [this] { return draw(2) == 0 ? 0U : static_cast<unsigned>(draw(150)); };
    faults_ = {rate(), rate(), rate(), rate(), static_cast<unsigned>(draw(300))};
}

std::string Simulation::run() {
    stepsLeft_ = stepsPerStory;
    while (stepsLeft_ > 0 && violation_.empty())
        step();
    if (violation_.empty()) heal();
    if (violation_.empty()) look();
    addCounts();
    return violation_;
}

void Simulation::report(const std::string& violation) {
    trace("VIOLATION " + violation);
    if (violation_.empty()) violation_ = violation;
}

void Simulation::trace(const std::string& line) {
    fingerprint_ = fingerprint_ * 31 + std::hash<std::string>{}(line);
    if (tells_) std::printf("%*s%s\n", static_cast<int>(2 * depth_), "", line.c_str());
}

// Most often nothing happens while a node waits; sometimes very much does.
void Simulation::othersGoOn() {
    clock_.advance(std::chrono::milliseconds{1});
    if (isQuiet_ || depth_ >= deepest || !violation_.empty()) return;
    const auto kind = draw(100);
    if (kind < 60) return;
    const bool wasFrozen = isFrozen_;
    unsigned steps = 1 + static_cast<unsigned>(draw(3));
    if (kind >= 95) steps = 10 + static_cast<unsigned>(draw(60));
    if (kind >= 97) {
        count("long pause");
        trace("long pause");
        isFrozen_ = true;
    }
    ++depth_;
    for (; steps > 0 && stepsLeft_ > 0 && violation_.empty(); --steps)
        step();
    --depth_;
    isFrozen_ = wasFrozen;
}

void Simulation::step() {
    if (stepsLeft_ > 0) --stepsLeft_;
    clock_.advance(std::chrono::milliseconds{draw(isFrozen_ ? 400 : 120)});
    etcd_.endLeases();
    happen();
    const auto active = std::ranges::count_if(nodes_, [](const auto& node) { return node->isActive(); });
    if (active > 1) count("two nodes active at once");
}

void Simulation::happen() {
    const auto what = draw(100);
    if (what < 37) {
        clients_[draw(clients_.size())]->step();
    } else if (what < 40) {
        publish();
    } else if (what < 80) {
        stepNode();
    } else if (what < 88) {
        keepLeases();
    } else if (what < 95) {
        etcd_.deliverLate(random_);
    } else {
        trouble();
    }
}

void Simulation::stepNode() {
    auto& node = *nodes_[draw(nodes_.size())];
    if (!node.isInACall()) node.step();
}

// Whoever publishes does not repeat: what was not acknowledged may be there or not.
void Simulation::publish() {
    auto& node = *nodes_[draw(nodes_.size())];
    const auto event = publications_.invent();
    const bool isTaken = node.publish(event, [this, event](const Result<Sequence>& number) {
        const bool isNew = static_cast<bool>(number);
        trace(fmt::format("event {}: {}", event->eventClass,
                          isNew ? std::to_string(*number) : number.error().text));
        count(isNew ? "event acknowledged" : "event refused");
        if (!isNew && number.error().code == ErrorCode::superseded) count("event of which nobody knows");
        if (isNew) publications_.acknowledged(*event, *number);
    });
    if (isTaken) trace(fmt::format("event {} is published at {}", event->eventClass, node.name()));
}

void Simulation::keepLeases() {
    for (auto& node : nodes_) {
        const bool isFrozen = isFrozen_ && node->isInACall();
        if (!isFrozen) node->keepLeaseAlive();
    }
}

void Simulation::trouble() {
    if (isQuiet_) return;
    auto& node = *nodes_[draw(nodes_.size())];
    switch (draw(10)) {
        case 0:
            return node.die();
        case 1:
            return node.cut(true);
        case 2:
        case 3:
        case 4:
            return node.cut(false);
        case 5:
            return etcd_.setFull(draw(2) == 0);
        case 6:
            return etcd_.setFull(false);
        case 7:
            return node.noticeLoss();  // a false alarm is allowed, too
        case 8:
            return etcd_.compact(etcd_.revision());
        default:
            return;
    }
}

// P4, and that batches are counted one by one; both are what the guard is for.
void Simulation::observe(const etcd::Transaction& transaction) {
    const etcd::Keys keys("/crnpd");
    const auto row = etcd_.row(keys.head());
    if (!row || row->modified != etcd_.revision()) return;
    const auto head = etcd::decodeHead(row->value);
    if (!head) return report(head.error().text);
    trace(fmt::format("head: {}", row->value));
    const bool isOlder = head->term < lastHead_.term;
    const bool isNext = head->batch == lastHead_.batch || head->batch == lastHead_.batch + 1;
    const bool changesRows = transaction.then.size() > 1 && lastHead_.term != 0;
    const bool countsRows = !changesRows || head->batch == lastHead_.batch + 1;
    if (!mutation_.judgeByAnswersOnly && (isOlder || !isNext || !countsRows))
        report(fmt::format("after \"{}\" came \"{}\"", etcd::encodeHead(lastHead_), row->value));
    lastHead_ = *head;
}

// Nothing goes wrong any more; then every client is answered soon.
void Simulation::heal() {
    isQuiet_ = true;
    trace("all is well again");
    faults_ = {};
    etcd_.setFull(false);
    for (auto& node : nodes_) {
        node->cut(false);
        node->calmDown();
    }
    while (etcd_.hasLate())
        etcd_.deliverLate(random_);
    for (auto& client : clients_)
        client->askOnceMore();
    const auto isDone = [](const auto& client) { return client->isDone(); };
    for (unsigned i = 0; i < stepsToHeal && violation_.empty(); ++i) {
        if (std::ranges::all_of(clients_, isDone)) return;
        step();
    }
    if (violation_.empty()) report("all is well, but a client is not answered");
}

// What is there in the end, by a server that comes new.
void Simulation::look() {
    support::SimulatedLink link(etcd_);
    const auto lease = etcd_.grant(std::chrono::hours{1});
    const auto standing = etcd::seize(link, etcd::Keys("/crnpd"), *lease, {"in the end", ""});
    etcd::EtcdStore store(link, clock_, *standing->term, {}, nullptr);
    const auto snapshot = store.load();
    if (!snapshot) return report("in the end: " + snapshot.error().text);
    publications_.loaded(*snapshot, publications_.acknowledged());
    for (auto& client : clients_)
        client->look();
}

void Simulation::addCounts() {
    const auto& counts = etcd_.counts();
    coverage_["transaction"] += counts.transactions;
    coverage_["transaction lost"] += counts.lost;
    coverage_["answer dropped"] += counts.dropped;
    coverage_["transaction sent twice"] += counts.repeated;
    coverage_["transaction late and carried out"] += counts.lateAccepted;
    coverage_["transaction late and refused"] += counts.lateRefused;
    coverage_["read from the past"] += counts.stale;
    coverage_["no space"] += counts.noSpace;
    coverage_["lease ended"] += counts.leasesEnded;
}

}  // namespace crnpd::simulation
