// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/etcd_election.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "common/crash_point.h"
#include "common/messages.h"
#include "server/etcd/guarded.h"
#include "server/etcd/lease_file.h"
#include "server/etcd/stop_after.h"

namespace crnpd::etcd {

EtcdElection::EtcdElection(KeyValue& etcd, Leases& leases, Watches& watches, const Clock& clock,
                           Options options)
    : etcd_(etcd), leases_(leases), watches_(watches), clock_(clock), options_(std::move(options)) {
    lease_.time = options_.leaseTime;
}

EtcdElection::~EtcdElection() = default;

Result<store::Term> EtcdElection::campaign(std::stop_token stop) noexcept {
    resign();
    successor_ = {};
    auto wait = options_.pause;
    while (!stop.stop_requested()) {
        bool hasThrown = true;
        const auto term = guarded(ErrorCode::noSpace, "this server cannot stand for election", [&] {
            auto turn = takeTurn(stop);
            hasThrown = false;
            return turn;
        });
        if (term && *term) return **term;
        if (term) {
            wait = options_.pause;
            continue;
        }
        note(term.error());
        // Whoever cannot do what a leader has to does not keep the others from it.
        if (hasThrown) (void)dropLease(clock_.steady());
        // Somebody who does not answer may do so at once; what was refused is not mended that soon.
        if (term.error().code == ErrorCode::busy) wait = options_.pause;
        pauseFor(wait, stop);
        wait = std::min(2 * wait, std::max(options_.longestPause, options_.pause));
    }
    // We may have been elected without having heard of it.
    if (dropLease(clock_.steady() + options_.resignLimit)) removeLeaseFile(options_.leaseFile);
    return Error{ErrorCode::cancelled, "told to stop"};
}

Result<std::optional<store::Term>> EtcdElection::takeTurn(const std::stop_token& stop) {
    const auto standing = stand();
    if (!standing) return standing.error();
    note({});
    if (standing->term) return std::optional(lead(*standing));
    noteLeader(standing->leader.name);
    (void)dropLease(clock_.steady());
    if (auto waited = awaitVacancy(standing->revision + 1, stop); !waited) return waited.error();
    return std::optional<store::Term>{};
}

// Looks first: a standby needs no lease, and a full etcd grants none.
Result<Standing> EtcdElection::stand() {
    const bool isSeizing = options_.seize && !hasSeized_;
    auto other = otherLeader(etcd_, options_.keys, lease_.id);
    if (!other) return other.error();
    noteLeader(*other ? (*other)->leader.name : std::string{});
    if (*other && !isSeizing) return std::move(**other);
    if (auto taken = takeLease(); !taken) return taken.error();
    crashPoint("etcd_lease_noted");
    auto standing = isSeizing ? seize(etcd_, options_.keys, lease_.id, options_.self)
                              : standFor(etcd_, options_.keys, lease_.id, options_.self);
    if (standing) hasSeized_ = true;
    if (!standing && standing.error().code == ErrorCode::notFound) lease_.id = 0;
    return standing;
}

// A lease that we hold already is used again: the key may have been put under it without our knowing.
Result<void> EtcdElection::takeLease() {
    const auto now = clock_.steady();
    if (lease_.id != 0) {
        if (now - lease_.sent < lease_.time / 3) return {};
        auto kept = leases_.keepAlive(lease_.id);
        if (kept) lease_.sent = now;
        if (kept || kept.error().code != ErrorCode::notFound) return kept;
        lease_.id = 0;
    }
    const auto granted = leases_.grant(options_.leaseTime);
    if (!granted) return granted.error();
    crashPoint("etcd_lease_granted");
    lease_.id = *granted;
    lease_.sent = now;
    if (options_.leaseFile.empty()) return {};
    // Costs no more than time, should this process crash.
    if (auto written = writeLeaseFile(options_.leaseFile, lease_.id); !written)
        log(msg::leaseNotNoted, written.error().text);
    return {};
}

store::Term EtcdElection::lead(const Standing& standing) {
    crashPoint("etcd_elected");
    noteLeader({});
    tenure_ = std::make_unique<Tenure>(etcd_, leases_, watches_, clock_, options_.keys, *standing.term,
                                       standing.revision, lease_, [this](const std::string& reason) {
                                           if (lost_) lost_(reason);
                                       });
    return *standing.term;
}

store::Election::StillLeading EtcdElection::stillLeading() const {
    if (!tenure_) return [] { return false; };
    return [hold = tenure_->hold()] { return hold->isCertain(); };
}

// The time limit is for a deletion that etcd forgot to tell of (3.4 may, around a compaction): whoever stands
// finds out.
Result<void> EtcdElection::awaitVacancy(Revision from, const std::stop_token& stop) {
    StopAfter wait(stop, 5 * std::chrono::milliseconds(options_.leaseTime));
    const auto ended = watches_.follow(
        options_.keys.leader(), from,
        [&](const std::vector<Event>& events) {
            if (noteLeaderIn(events)) wait.now();
        },
        wait.token());
    if (ended || ended.error().code == ErrorCode::notFound) return {};
    return ended.error();
}

bool EtcdElection::noteLeaderIn(const std::vector<Event>& events) {
    bool isVacant = false;
    for (const auto& event : events) {
        if (event.key != options_.keys.leader()) continue;
        isVacant = !event.row;
        if (isVacant) {
            noteLeader({});
        } else if (const auto successor = decodeLeader(event.row->value)) {
            noteLeader(successor->name);
        }
    }
    return isVacant;
}

// What is read may be older than our resignation: then the row is our own.
void EtcdElection::watchSuccessor(store::Term term, const std::stop_token& stop) noexcept {
    try {
        while (!stop.stop_requested()) {
            const auto page = etcd_.read(options_.keys.leader(), "", 0, 1);
            if (page) {
                for (const auto& row : page->rows) {
                    if (row.created == static_cast<Revision>(term)) continue;
                    noteLeaderIn({{row.modified, row.key, row}});
                }
                (void)watches_.follow(
                    options_.keys.leader(), page->revision + 1,
                    [this](const std::vector<Event>& events) { noteLeaderIn(events); }, stop);
            }
            pauseFor(options_.pause, stop);
        }
    } catch (const std::exception&) {
        // As if nobody had been elected yet.
    }
}

void EtcdElection::resign() noexcept {
    if (!tenure_) return;
    const auto term = tenure_->term();
    crashPoint("etcd_before_resignation");
    tenure_.reset();  // from now on nobody calls a loss what we do ourselves
    const auto until = clock_.steady() + options_.resignLimit;
    bool isGiven = false;
    for (;;) {
        const auto given = etcd::resign(etcd_, options_.keys, term);
        isGiven = static_cast<bool>(given);
        if (given || given.error().code != ErrorCode::busy || clock_.steady() >= until) break;
        pauseFor(options_.pause, {});
    }
    crashPoint("etcd_after_resignation");
    // If etcd is away the note stays: whoever cleans up after this process may have more luck.
    if (dropLease(until) && !options_.leaseFile.empty()) removeLeaseFile(options_.leaseFile);
    if (isGiven) startWatchingSuccessor(term);
}

void EtcdElection::startWatchingSuccessor(store::Term term) noexcept {
    try {
        successor_ = std::jthread([this, term](const std::stop_token& stop) { watchSuccessor(term, stop); });
    } catch (const std::exception&) {
        // Nobody is told who was elected, and so others have their whole time for it.
    }
}

bool EtcdElection::dropLease(SteadyTime until) noexcept {
    while (lease_.id != 0) {
        const auto revoked = leases_.revoke(lease_.id);
        const bool isOver = clock_.steady() >= until;
        if (revoked || isOver) lease_.id = 0;
        if (!revoked && isOver) return false;
        if (!revoked) pauseFor(options_.pause, {});
    }
    return true;
}

std::string EtcdElection::leader() const {
    const std::scoped_lock lock(mutex_);
    return leader_;
}

std::string EtcdElection::obstacle() const {
    const std::scoped_lock lock(mutex_);
    return obstacle_;
}

void EtcdElection::noteLeader(std::string name) {
    const std::scoped_lock lock(mutex_);
    leader_ = std::move(name);
}

void EtcdElection::note(const std::optional<Error>& trouble) noexcept {
    const std::scoped_lock lock(mutex_);
    const bool isNew = obstacle_.empty();
    if (!trouble || trouble->code != ErrorCode::busy) unanswered_.clear();
    if (!trouble) {
        obstacle_.clear();
        return;
    }
    // What nobody can confirm is not told as known.
    if (trouble->code == ErrorCode::busy) leader_.clear();
    try {
        obstacle_ = trouble->code == ErrorCode::busy ? allUnanswered(trouble->text) : trouble->text;
        if (isNew) log(msg::electionHindered, obstacle_);
    } catch (const std::exception&) {
        obstacle_ = "out of memory";  // needs none
    }
}

std::string EtcdElection::allUnanswered(const std::string& latest) {
    // One after the other is tried; each has its own reason.
    constexpr std::size_t most = 5;
    if (std::ranges::find(unanswered_, latest) == unanswered_.end()) unanswered_.push_back(latest);
    if (unanswered_.size() > most) unanswered_.erase(unanswered_.begin());
    return fmt::format("no member of etcd answers ({})", fmt::join(unanswered_, "; "));
}

}  // namespace crnpd::etcd
