// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/failover/failover.h"

#include <utility>

#include <fmt/format.h>

#include "common/crash_point.h"
#include "common/messages.h"

namespace crnpd::failover {

Failover::Failover(store::Election& election, OpenStore openStore, std::string storeName, Duties& duties,
                   const Clock& clock)
    : election_(election),
      openStore_(std::move(openStore)),
      storeName_(std::move(storeName)),
      duties_(duties),
      clock_(clock),
      role_([](Role from, const RoleState::Now& now) {
          log(msg::roleChanged, name(from), name(now.role), now.reason);
      }) {
    election_.onLoss([this](const std::string& reason) { lose(reason); });
}

Failover::~Failover() {
    stop("ended");
    join();
}

void Failover::start() {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Failover::stop(const std::string& reason) {
    {
        const std::scoped_lock lock(mutex_);
        if (stopReason_.empty()) stopReason_ = reason;
    }
    thread_.request_stop();
}

void Failover::lose(const std::string& reason) {
    end({Manner::superseded, reason, false});
}

Result<void> Failover::handOver(const std::string& reason) {
    if (role_.now().role != Role::active) return Error{ErrorCode::busy, whyNotActive()};
    end({Manner::inOrder, reason, true});
    return {};
}

// The first reason counts, but for a loss: whoever has lost the leadership cannot hand it over.
void Failover::end(Ending ending) {
    {
        const std::scoped_lock lock(mutex_);
        if (!ending_ || ending.manner == Manner::superseded) ending_ = std::move(ending);
    }
    changed_.notify_all();
}

void Failover::join() {
    if (thread_.joinable()) thread_.join();
}

store::Term Failover::term() const {
    const std::scoped_lock lock(mutex_);
    return term_;
}

std::string Failover::whyNotActive() const {
    const auto now = role_.now();
    if (now.role == Role::active) return {};
    const auto leader = election_.leader();
    const auto obstacle = election_.obstacle();
    return fmt::format("{}: {}{}{}{}{}", name(now.role), now.reason, leader.empty() ? "" : "; active is ",
                       leader, obstacle.empty() ? "" : "; ", obstacle);
}

void Failover::run(const std::stop_token& stop) {
    role_.move(Role::standby, "waiting to be elected");
    std::optional<Error> fault;
    while (!stop.stop_requested() && !fault) {
        {
            // Before the campaign: a leadership may be lost as soon as it is won.
            const std::scoped_lock lock(mutex_);
            ending_.reset();
        }
        const auto term = election_.campaign(stop);
        if (term) {
            fault = lead(*term, stop);
        } else if (term.error().code != ErrorCode::cancelled) {
            fault = term.error();
        }
    }
    if (role_.now().role != Role::stopped) role_.move(Role::stopped, fault ? fault->text : stopReason_);
    duties_.onEnd(fault);
}

// From the election to the resignation. A fault is what no later attempt can mend.
std::optional<Error> Failover::lead(store::Term term, const std::stop_token& stop) {
    {
        const std::scoped_lock lock(mutex_);
        term_ = term;
    }
    role_.move(Role::takingOver, fmt::format("elected, term {}", term));
    crashPoint("elected");
    if (const auto taken = takeOver(term); !taken) {
        leave(Manner::inOrder);
        const auto& why = taken.error();
        const bool passes = why.code == ErrorCode::busy || why.code == ErrorCode::superseded;
        role_.move(passes ? Role::standby : Role::stopped, why.text);
        if (!passes) return why;
        waitFor(pause, stop, [] { return false; });
        return std::nullopt;
    }
    role_.move(Role::active, "serving clients");
    const auto ending = waitUntilOver(stop);
    role_.move(Role::steppingDown, ending.reason);
    crashPoint("stepping_down");
    leave(ending.manner);
    role_.move(stop.stop_requested() ? Role::stopped : Role::standby, ending.reason);
    if (ending.letOthers) letOthersLead(stop);
    return std::nullopt;
}

// busy and superseded pass by, anything else is a fault; also what the system refuses, such as threads.
Result<void> Failover::takeOver(store::Term term) {
    try {
        store_ = openStore_(term);
        crashPoint("loading");
        auto snapshot = load(*store_);
        if (!snapshot) return snapshot.error();
        crashPoint("loaded");
        served_ = true;
        auto taken = duties_.takeOver(term, *store_, std::move(*snapshot));
        if (!taken) return Error{ErrorCode::io, taken.error().text};
        crashPoint("taken_over");
        return taken;
    } catch (const std::exception& fault) {
        return Error{ErrorCode::io, fmt::format("cannot take over: {}", fault.what())};
    }
}

void Failover::leave(Manner manner) {
    if (std::exchange(served_, false)) duties_.stepDown(manner);
    store_.reset();
    crashPoint("store_closed");
    election_.resign();
    crashPoint("resigned");
}

Result<Snapshot> Failover::load(store::RegistrationStore& store) const {
    const auto begin = clock_.steady();
    auto snapshot = store.load();
    if (!snapshot) {
        log(msg::storeUnusable, snapshot.error().text);
        return snapshot;
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.steady() - begin);
    log(msg::storeOpened, storeName_, snapshot->clients.size(), snapshot->removals.size(), snapshot->head,
        static_cast<std::uint64_t>(took.count()));
    return snapshot;
}

Failover::Ending Failover::waitUntilOver(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop, [this] { return ending_.has_value(); });
    return ending_ ? *ending_ : Ending{Manner::inOrder, stopReason_, false};
}

// Whoever has just handed over must not win the election that follows.
void Failover::letOthersLead(const std::stop_token& stop) {
    waitFor(handOverTime, stop, [this] { return !election_.leader().empty(); });
}

// Until `over` says so, `time` has passed or it is told to stop.
void Failover::waitFor(std::chrono::milliseconds time, const std::stop_token& stop,
                       const std::function<bool()>& over) {
    constexpr std::chrono::milliseconds step{20};
    const auto end = clock_.steady() + time;
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested() && clock_.steady() < end) {
        lock.unlock();
        const bool done = over();
        lock.lock();
        if (done) return;
        changed_.wait_for(lock, stop, step, [] { return false; });
    }
}

}  // namespace crnpd::failover
