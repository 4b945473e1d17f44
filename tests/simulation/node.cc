// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/node.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/etcd/leadership.h"

namespace crnpd::simulation {
namespace {

using failover::Role;
using store::CommitOutcome;
using store::CommitState;
constexpr std::chrono::seconds leaseTime{3};
constexpr std::chrono::seconds patience{3};

// Counts what becomes of commits.
class ObservedStore final : public store::RegistrationStore {
public:
    ObservedStore(store::RegistrationStore& inner, Surroundings& around, std::function<bool()> leads)
        : inner_(inner), around_(around), leads_(std::move(leads)) {}

    Result<Snapshot> load() noexcept override { return inner_.load(); }
    std::size_t batchLimit() const noexcept override { return inner_.batchLimit(); }
    std::size_t bytesLimit() const noexcept override { return inner_.bytesLimit(); }
    bool isShared() const noexcept override { return inner_.isShared(); }
    CommitOutcome carryOut(BatchId batch, std::span<const Change> changes,
                           const EventChanges& events) noexcept override {
        auto outcome = inner_.commit(batch, changes, events);
        tell(batch, outcome);
        if (outcome.state == CommitState::unknown) around_.count("outcome unknown at first");
        if (isSuperseded(outcome)) around_.count("commit refused because another server leads");
        return outcome;
    }
    CommitOutcome outcomeOf(BatchId batch, std::chrono::milliseconds limit) noexcept override {
        auto outcome = inner_.outcomeOf(batch, limit);
        tell(batch, outcome);
        if (outcome.state == CommitState::committed) {
            around_.count("outcome found: committed");
            if (!leads_()) around_.count("outcome found after a takeover: committed");
        }
        if (outcome.state == CommitState::notCommitted) around_.count("outcome found: not committed");
        if (outcome.state == CommitState::unknown) around_.count("outcome unknown for good");
        return outcome;
    }
    CommitOutcome fill(BatchId batch, std::span<const Change> changes) noexcept override {
        return inner_.fill(batch, changes);
    }
    void abandon() noexcept override { inner_.abandon(); }

private:
    static bool isSuperseded(const CommitOutcome& outcome) {
        return outcome.state == CommitState::notCommitted && outcome.reason.code == ErrorCode::superseded;
    }
    void tell(BatchId batch, const CommitOutcome& outcome) {
        constexpr const char* states[]{"committed", "not committed", "unknown"};
        around_.trace(fmt::format("batch {} {}: {}", batch, states[static_cast<int>(outcome.state)],
                                  outcome.reason.text));
    }

    store::RegistrationStore& inner_;
    Surroundings& around_;
    std::function<bool()> leads_;
};

}  // namespace

// In the order in which a server makes them; what blocks in a call holds it until the call has returned.
struct Node::Life {
    Life(const Setting& setting, Surroundings& around)
        : link(setting.etcd, setting.faults, setting.random, [&around] { around.othersGoOn(); }),
          keeper(setting.etcd, setting.faults, setting.random, nullptr),
          altered(setting.mutation.etcd ? setting.mutation.etcd(link) : nullptr) {}

    [[nodiscard]] etcd::KeyValue& etcd() { return altered ? *altered : link; }

    void cut(bool isCut) {
        link.cut(isCut);
        keeper.cut(isCut);
    }

    support::SimulatedLink link;
    support::SimulatedLink keeper;  // another thread's, so nobody waits for it
    std::unique_ptr<etcd::KeyValue> altered;
    failover::RoleState role{nullptr};
    etcd::LeaseId lease = 0;
    store::Term term = 0;
    std::unique_ptr<etcd::EtcdStore> etcdStore;
    std::unique_ptr<ObservedStore> observed;
    std::unique_ptr<store::RegistrationStore> alteredStore;
    std::unique_ptr<commit::GroupCommit> group;
    std::deque<commit::Act> queue;
    bool hasNoticedLoss = false;
    bool isSuperseded = false;
    bool isOver = false;  // the process has died
};

Node::Node(std::string name, const Setting& setting, Surroundings& around)
    : name_(std::move(name)), setting_(setting), around_(around) {
    begin();
}

void Node::begin() {
    life_ = std::make_shared<Life>(setting_, around_);
    life_->cut(isCut_);
}

bool Node::happens(unsigned thousandths) {
    return !isCalm_ && setting_.random() % 1000 < thousandths;
}

bool Node::isActive() const {
    return !life_->isOver && life_->role.now().role == Role::active;
}

void Node::move(Role to, const char* reason) {
    const auto from = life_->role.now().role;
    around_.trace(fmt::format("{}: {} -> {}: {}", name_, failover::name(from), failover::name(to), reason));
    if (!failover::mayMove(from, to)) around_.report("a move that the role table does not allow");
    life_->role.move(to, reason);
}

void Node::step() {
    isInACall_ = true;
    switch (life_->role.now().role) {
        case Role::starting:
            move(Role::standby, "waiting to be elected");
            break;
        case Role::active:
            serve();
            break;
        default:
            standBy();
    }
    if (life_->isOver) begin();
    isInACall_ = false;
}

void Node::standBy() {
    const etcd::Keys keys("/crnpd");
    const etcd::Leader self{name_, ""};
    if (life_->lease == 0) {
        const auto lease = life_->link.grant(leaseTime);
        if (lease) life_->lease = *lease;
        return;
    }
    const bool seizes = happens(20);
    const auto standing = seizes ? etcd::seize(life_->etcd(), keys, life_->lease, self)
                                 : etcd::standFor(life_->etcd(), keys, life_->lease, self);
    if (!standing) {
        if (standing.error().code == ErrorCode::notFound) life_->lease = 0;
        return;
    }
    if (life_->isOver || !standing->term) return;
    if (seizes) around_.count("takeover by seizing");
    lead(*standing->term);
}

void Node::lead(store::Term term) {
    life_->term = term;
    life_->hasNoticedLoss = false;
    life_->isSuperseded = false;
    move(Role::takingOver, "elected");
    if (!open(term)) {
        around_.count("takeover that failed");
        leave();
        move(Role::standby, "could not take over");
        return;
    }
    around_.count("takeover");
    move(Role::active, "serving clients");
}

bool Node::open(store::Term term) {
    etcd::EtcdStore::Options options;
    options.patience = patience;
    options.pause = std::chrono::milliseconds{400};
    options.wait = [this](std::chrono::milliseconds time) {
        setting_.clock.advance(time);
        around_.othersGoOn();
    };
    auto& life = *life_;
    life.etcdStore = std::make_unique<etcd::EtcdStore>(life.etcd(), setting_.clock, term, options, nullptr);
    life.observed = std::make_unique<ObservedStore>(*life.etcdStore, around_, [this, term] {
        const auto leader = setting_.etcd.row(etcd::Keys("/crnpd").leader());
        return leader && leader->created == static_cast<etcd::Revision>(term);
    });
    const auto& alter = setting_.mutation.store;
    if (alter) life.alteredStore = alter(*life.observed);
    store::RegistrationStore& store = alter ? *life.alteredStore : *life.observed;
    const auto acknowledged = around_.publications().acknowledged();
    auto snapshot = store.load();
    if (life.isOver) return false;
    if (!snapshot) {
        const auto& why = snapshot.error();
        around_.trace(fmt::format("{}: load: {}", name_, why.text));
        const bool passes = why.code == ErrorCode::busy || why.code == ErrorCode::superseded;
        if (!passes) around_.report("what is in etcd was refused: " + why.text);
        return false;
    }
    commit::GroupCommit::Options limits;
    limits.outcomeLimit = patience;
    limits.superseded = [&life](const std::string&) { life.isSuperseded = true; };
    limits.audience = [this, &life](const std::vector<Committed>& told) {
        around_.publications().committed(life.group->view().head, told);
    };
    around_.publications().loaded(*snapshot, acknowledged);
    life.group = std::make_unique<commit::GroupCommit>(store, setting_.clock, setting_.rules, limits);
    life.group->load(*snapshot);
    return true;
}

void Node::serve() {
    if (life_->isSuperseded || life_->hasNoticedLoss) {
        around_.count("leadership lost");
        return stepDown("another server leads");
    }
    if (happens(15)) {
        around_.count("hand-over");
        return stepDown("told to hand over");
    }
    process(1 + setting_.random() % 4);
}

void Node::process(std::size_t most) {
    auto& queue = life_->queue;
    std::vector<commit::Act> taken;
    while (!queue.empty() && taken.size() < most) {
        taken.push_back(std::move(queue.front()));
        queue.pop_front();
    }
    if (life_->hasNoticedLoss) life_->group->end("another server leads");
    if (!taken.empty()) life_->group->process(taken);
}

void Node::stepDown(const char* reason) {
    move(Role::steppingDown, reason);
    process(life_->queue.size());
    leave();
    if (!life_->isOver) move(Role::standby, reason);
}

void Node::leave() {
    life_->group.reset();
    life_->alteredStore.reset();
    life_->observed.reset();
    life_->etcdStore.reset();
    (void)etcd::resign(life_->etcd(), etcd::Keys("/crnpd"), life_->term);
}

bool Node::submit(const registry::Request& request, const commit::Completion& completion) {
    if (!isActive() || isCut_) return false;
    const std::weak_ptr<Life> life = life_;
    life_->queue.emplace_back(commit::Submission{request, [life, completion](const commit::Outcome& outcome) {
                                                     const auto alive = life.lock();
                                                     if (alive && !alive->isOver) completion(outcome);
                                                 }});
    return true;
}

bool Node::publish(std::shared_ptr<const Event> event, const commit::Published& published) {
    if (!isActive() || isCut_) return false;
    const std::weak_ptr<Life> life = life_;
    life_->queue.emplace_back(commit::Publication(std::move(event), std::nullopt,
                                                  [life, published](const Result<Sequence>& number) {
                                                      const auto alive = life.lock();
                                                      if (alive && !alive->isOver) published(number);
                                                  }));
    return true;
}

void Node::keepLeaseAlive() {
    if (life_->lease == 0) return;
    const auto kept = life_->keeper.keepAlive(life_->lease);
    if (kept || kept.error().code != ErrorCode::notFound) return;
    life_->lease = 0;
    noticeLoss();
}

// As Committer::abandon().
void Node::noticeLoss() {
    life_->hasNoticedLoss = true;
    if (life_->etcdStore == nullptr) return;
    if (isInACall_) around_.count("loss noticed in a call");
    life_->etcdStore->abandon();
}

void Node::die() {
    around_.trace(name_ + ": dies");
    around_.count(isInACall_ ? "node died in a call" : "node died");
    life_->isOver = true;
    life_->cut(true);
    if (life_->etcdStore) life_->etcdStore->abandon();
    if (!isInACall_) begin();
}

void Node::cut(bool isCut) {
    isCut_ = isCut;
    if (!life_->isOver) life_->cut(isCut);
}

}  // namespace crnpd::simulation
