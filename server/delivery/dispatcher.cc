// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/dispatcher.h"

#include <algorithm>

#include "common/crash_point.h"
#include "common/messages.h"

namespace crnpd::delivery {
namespace {

constexpr std::size_t mostTried = 5;
// How long an errand waits that could not be begun for reasons of our own.
constexpr std::chrono::milliseconds postponement{50};

}  // namespace

Dispatcher::Dispatcher(const Clock& clock, const DispatchRules& rules, Ledger& ledger,
                       std::function<void(Ticket)> recall, CallOnOpening callOnOpening)
    : clock_(clock),
      rules_(rules),
      ledger_(ledger),
      recall_(std::move(recall)),
      callOnOpening_(std::move(callOnOpening)),
      log_(std::make_unique<EventLog>(rules.mostKinds, 0, std::vector<NumberedEvent>{})) {}

Dispatcher::~Dispatcher() = default;

Wants Dispatcher::wantsOf(ClientIndex client) const {
    return [this, client](const Event& event) { return matching_.wants(client, event); };
}

// --- where a client waits

void Dispatcher::look(ClientIndex client) {
    Active& active = active_[client];
    if (active.state == State::underWay || active.state == State::leaving ||
        active.state == State::removingLater)
        return;
    if (isHeldBack(client, active)) {
        withdraw(client, active);
        active.state = State::gated;
        return;
    }
    if (active.state == State::queued) return;
    withdraw(client, active);
    const SteadyTime due = active.schedule.due(rules_.retry);
    if (due > clock_.steady()) {
        waitUntil(client, active, due);
        active.state = State::waiting;
    } else {
        queue(client, active);
    }
}

void Dispatcher::queue(ClientIndex client, Active& active) {
    active.state = State::queued;
    active.lane = table_.clients[client].doubtful ? Lane::doubtful : Lane::quick;
    active.ticket = ++lastTicket_;
    lane(active.lane).queue.push_back({client, active.ticket});
}

void Dispatcher::waitUntil(ClientIndex client, Active& active, SteadyTime time) {
    active.since = time;
    later_.insert({time, client});
}

void Dispatcher::withdraw(ClientIndex client, Active& active) {
    if (active.state == State::waiting || active.state == State::removingLater)
        later_.erase({active.since, client});
    active.state = State::idle;
    active.ticket = 0;
}

// Forgets all about what it had to get. Replies that were not written yet still come first.
void Dispatcher::dismiss(ClientIndex client) {
    const auto found = active_.find(client);
    if (found == active_.end()) return;
    Active& active = found->second;
    if (active.state == State::underWay) {
        const Ticket ticket = active.ticket;
        if (end(ticket)) recall_(ticket);
    }
    withdraw(client, active);
    auto gates = std::move(active.gates);
    if (gates.empty()) {
        active_.erase(found);
    } else {
        active = Active{};
        active.gates = std::move(gates);
    }
}

// Nearly every gate opens before there is anything to get: nobody is called for that, which would cost more
// than all else that is done about a registration here.
bool Dispatcher::isHeldBack(ClientIndex client, Active& active) {
    auto& gates = active.gates;
    while (!gates.empty()) {
        ReplyGate& first = *gates.front();
        const bool isShut = !first.isOpen() && (!log_->isBehind(client) ||
                                                first.whenOpened(callOnOpening_(table_.clients[client].id)));
        if (isShut) return true;
        gates.erase(gates.begin());
    }
    return false;
}

void Dispatcher::gateOpened(RecordId client) {
    const ClientIndex index = find(client);
    if (index != noSlot && active_.contains(index)) look(index);
}

// Of a client that has nothing to get nothing is kept, once its gate is open. They open nearly in order.
void Dispatcher::forgetOpened() {
    for (; !shut_.empty() && shut_.front().second->isOpen(); shut_.pop_front()) {
        const ClientIndex client = shut_.front().first;
        const auto found = active_.find(client);
        if (found == active_.end() || found->second.state != State::gated || log_->isBehind(client)) continue;
        if (!isHeldBack(client, found->second)) active_.erase(found);
    }
}

// --- errands

std::optional<Errand> Dispatcher::take() {
    const bool hasQuickPlace = lane(Lane::quick).used < rules_.quickPlaces;
    if (hasQuickPlace) {
        if (auto errand = takeFrom(Lane::quick)) return errand;
    }
    if (lane(Lane::doubtful).used < rules_.doubtfulPlaces) return takeFrom(Lane::doubtful);
    return std::nullopt;
}

std::optional<Errand> Dispatcher::takeFrom(Lane which) {
    auto& waiting = lane(which).queue;
    while (!waiting.empty()) {
        const Place place = waiting.front();
        waiting.pop_front();
        const auto found = active_.find(place.client);
        if (found == active_.end() || found->second.ticket != place.ticket) continue;
        auto event = log_->next(place.client, wantsOf(place.client));
        if (event) return begin(place.client, found->second, which, std::move(*event));
        active_.erase(found);
        changed_ = true;  // it may stand in the stored mark as a laggard
    }
    return std::nullopt;
}

Errand Dispatcher::begin(ClientIndex client, Active& active, Lane which, NumberedEvent event) {
    const SteadyTime now = clock_.steady();
    const Client& known = table_.clients[client];
    active.before = active.schedule;
    active.schedule.started(now);
    active.state = State::underWay;
    active.lane = which;
    active.ticket = ++lastTicket_;
    active.since = now;
    active.sequence = event.sequence;
    ++lane(which).used;
    underWay_.emplace(active.ticket, client);
    if (which == Lane::quick) young_.push_back({now, {client, active.ticket}});
    return {active.ticket, known.id, known.address, table_.vias[known.via], std::move(event)};
}

std::optional<ClientIndex> Dispatcher::end(Ticket ticket) {
    const auto found = underWay_.find(ticket);
    if (found == underWay_.end()) return std::nullopt;
    const ClientIndex client = found->second;
    underWay_.erase(found);
    Active& active = active_.at(client);
    --lane(active.lane).used;
    active.state = State::idle;
    return client;
}

void Dispatcher::delivered(Ticket ticket) {
    const auto client = end(ticket);
    if (!client) return;
    Active& active = active_.at(*client);
    Client& known = table_.clients[*client];
    log(msg::eventDelivered, active.sequence, known.address.text());
    known.doubtful = false;
    active.schedule.succeeded();
    if (active.trouble) note(*client, active, "delivered");
    const auto event = std::lower_bound(
        history_.begin(), history_.end(), active.sequence,
        [](const EventProgress& progress, Sequence sequence) { return progress.sequence < sequence; });
    if (event != history_.end() && event->sequence == active.sequence) ++event->have;
    crashPoint("event_delivered");
    log_->delivered(*client, active.sequence);
    changed_ = true;
    look(*client);
}

void Dispatcher::failed(Ticket ticket, std::string_view why) {
    const auto client = end(ticket);
    if (!client) return;
    Active& active = active_.at(*client);
    Client& known = table_.clients[*client];
    known.doubtful = true;
    const auto verdict = active.schedule.failed(rules_.retry);
    log(msg::deliveryFailed, active.sequence, known.address.text(), why, active.schedule.failures(),
        rules_.retry.count);
    note(*client, active, why);
    if (verdict == RetrySchedule::Verdict::giveUp) {
        giveUp(*client, active);
    } else {
        look(*client);
    }
}

void Dispatcher::postponed(Ticket ticket) {
    const auto client = end(ticket);
    if (!client) return;
    Active& active = active_.at(*client);
    active.schedule = active.before;
    active.ticket = 0;
    waitUntil(*client, active, clock_.steady() + postponement);
    active.state = State::waiting;
}

void Dispatcher::note(ClientIndex /*client*/, Active& active, std::string_view result) {
    if (!active.trouble) active.trouble = std::make_unique<Trouble>();
    auto& tried = active.trouble->tried;
    if (tried.size() == mostTried) tried.erase(tried.begin());
    tried.push_back({clock_.wall(), active.sequence, std::string(result)});
}

// --- removals

void Dispatcher::giveUp(ClientIndex client, Active& active) {
    const Client& known = table_.clients[client];
    const Ticket ticket = ++lastTicket_;
    crashPoint("before_removal");
    active.state = State::leaving;
    active.ticket = ticket;
    ledger_.remove(known.address, heard_,
                   [this, client, ticket](Ledger::Removal outcome) { onRemoval(client, ticket, outcome); });
}

Dispatcher::GivenUp Dispatcher::givenUp(ClientIndex client) const {
    const Client& known = table_.clients[client];
    GivenUp left{known.id, known.address, 0, {}};
    const auto found = active_.find(client);
    if (found == active_.end()) return left;
    left.failures = found->second.schedule.failures();
    const auto& trouble = found->second.trouble;
    if (trouble && !trouble->tried.empty()) left.why = trouble->tried.back().result;
    return left;
}

// Whose removal the ledger was asked for.
std::vector<Dispatcher::GivenUp> Dispatcher::allGivenUp() const {
    std::vector<GivenUp> all;
    for (const auto& [client, active] : active_) {
        if (active.state == State::leaving || active.state == State::removingLater)
            all.push_back(givenUp(client));
    }
    return all;
}

void Dispatcher::logRemoved(const GivenUp& client) {
    log(msg::clientGivenUp, client.address.text(), client.failures, client.why);
}

void Dispatcher::onRemoval(ClientIndex client, Ticket ticket, Ledger::Removal outcome) {
    crashPoint("removal_answered");
    const auto found = active_.find(client);
    if (found == active_.end() || found->second.ticket != ticket) return;
    Active& active = found->second;
    if (outcome == Ledger::Removal::impossible) {
        log(msg::removalImpossible, table_.clients[client].address.text());
        waitUntil(client, active, clock_.steady() + rules_.tryAgainAfter);
        active.state = State::removingLater;
        return;
    }
    // Either it spoke, or it is gone and this is about to be heard.
    active.schedule.heard();
    active.state = State::idle;
    look(client);
}

// --- time

void Dispatcher::tick() {
    const SteadyTime now = clock_.steady();
    forgetOpened();
    onDue(now);
    onStalled(now);
    if (changed_ && !keeping_ && (now >= keepAt_ || eventsSinceKeep_ >= 1'000)) keep(now);
}

void Dispatcher::onDue(SteadyTime now) {
    while (!later_.empty() && later_.begin()->first <= now) {
        const ClientIndex client = later_.begin()->second;
        later_.erase(later_.begin());
        Active& active = active_.at(client);
        const bool isRemoval = active.state == State::removingLater;
        active.state = State::idle;
        if (isRemoval) {
            giveUp(client, active);
        } else {
            look(client);
        }
    }
}

void Dispatcher::onStalled(SteadyTime now) {
    for (; !young_.empty(); young_.pop_front()) {
        const auto& [began, place] = young_.front();
        const auto found = active_.find(place.client);
        if (found == active_.end() || found->second.ticket != place.ticket) continue;
        if (began + rules_.stallAfter > now) return;
        Active& active = found->second;
        if (lane(Lane::stalled).used < rules_.stalledPlaces) {
            --lane(Lane::quick).used;
            ++lane(Lane::stalled).used;
            active.lane = Lane::stalled;
        } else if (end(place.ticket)) {
            recall_(place.ticket);
            table_.clients[place.client].doubtful = true;
            active.schedule = active.before;
            look(place.client);
        }
    }
}

std::optional<SteadyTime> Dispatcher::wakeAt() const {
    std::optional<SteadyTime> at;
    const auto noLaterThan = [&at](SteadyTime time) { at = at ? std::min(*at, time) : time; };
    if (!later_.empty()) noLaterThan(later_.begin()->first);
    if (!young_.empty()) noLaterThan(young_.front().first + rules_.stallAfter);
    if (changed_ && !keeping_) noLaterThan(keepAt_);
    return at;
}

MarkRecord Dispatcher::markToKeep() const {
    const Mark mark = log_->mark(rules_.mostLaggards);
    MarkRecord record{mark.upTo, {}};
    record.laggards.reserve(mark.laggards.size());
    for (const auto& laggard : mark.laggards)
        record.laggards.push_back({table_.clients[laggard.client].id, laggard.position});
    std::sort(record.laggards.begin(), record.laggards.end(),
              [](const auto& a, const auto& b) { return a.client < b.client; });
    return record;
}

void Dispatcher::keep(SteadyTime now) {
    const auto more = log_->release();
    released_.insert(released_.end(), more.begin(), more.end());
    keepAt_ = now + rules_.keepEvery;
    eventsSinceKeep_ = 0;
    changed_ = false;
    MarkRecord mark = markToKeep();
    if (released_.empty() && mark == kept_) return;
    const auto count = static_cast<std::ptrdiff_t>(std::min(released_.size(), rules_.mostReleased));
    const std::vector<Sequence> some(released_.begin(), released_.begin() + count);
    released_.erase(released_.begin(), released_.begin() + count);
    keeping_ = true;
    crashPoint("before_mark");
    ledger_.keep(mark, some,
                 [this, mark, some, epoch = epoch_](bool kept) { onKept(epoch, mark, some, kept); });
}

void Dispatcher::onKept(std::uint64_t epoch, const MarkRecord& mark, const std::vector<Sequence>& released,
                        bool kept) {
    if (epoch != epoch_) return;
    keeping_ = false;
    if (kept) {
        crashPoint("mark_stored");
        kept_ = mark;
        if (released_.empty()) return;
        keepAt_ = clock_.steady();
    } else {
        released_.insert(released_.end(), released.begin(), released.end());
        keepAt_ = clock_.steady() + rules_.tryAgainAfter;
    }
    changed_ = true;
}

}  // namespace crnpd::delivery
