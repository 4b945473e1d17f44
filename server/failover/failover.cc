// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/failover/failover.h"

#include <utility>

#include <fmt/format.h>

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
      }) {}

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
    {
        const std::scoped_lock lock(mutex_);
        overReason_ = reason;
    }
    over_.notify_all();
}

void Failover::join() {
    if (thread_.joinable()) thread_.join();
}

store::Term Failover::term() const {
    const std::scoped_lock lock(mutex_);
    return term_;
}

void Failover::run(const std::stop_token& stop) {
    role_.move(Role::standby, "waiting to be elected");
    std::optional<Error> fault;
    while (!stop.stop_requested() && !fault) {
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

// From the election to the resignation.
std::optional<Error> Failover::lead(store::Term term, const std::stop_token& stop) {
    {
        const std::scoped_lock lock(mutex_);
        term_ = term;
        overReason_.reset();
    }
    role_.move(Role::takingOver, fmt::format("elected, term {}", term));
    auto store = openStore_();
    auto snapshot = load(*store);
    auto taken =
        snapshot ? duties_.takeOver(term, *store, std::move(*snapshot)) : Result<void>(snapshot.error());
    if (!taken) {
        if (snapshot) duties_.stepDown();
        store.reset();
        election_.resign();
        role_.move(Role::stopped, taken.error().text);
        return taken.error();
    }
    role_.move(Role::active, "serving clients");
    role_.move(Role::steppingDown, waitUntilOver(stop));
    duties_.stepDown();
    store.reset();
    election_.resign();
    role_.move(stop.stop_requested() ? Role::stopped : Role::standby, "stepped down");
    return std::nullopt;
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

std::string Failover::waitUntilOver(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    over_.wait(lock, stop, [this] { return overReason_.has_value(); });
    return overReason_ ? *overReason_ : stopReason_;
}

}  // namespace crnpd::failover
