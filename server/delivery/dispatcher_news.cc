// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <limits>

#include "common/crash_point.h"
#include "common/event_codec.h"
#include "common/messages.h"
#include "common/missed_events.h"
#include "common/registration_codec.h"
#include "server/delivery/dispatcher.h"

namespace crnpd::delivery {
namespace {

constexpr std::size_t mostHistory = 200;
// So that what is found for a notice takes no more than some 50 MB on its way to the log.
constexpr std::size_t mostOwedAtOnce = 1'000'000;

std::size_t hashOf(RecordId id) noexcept {
    return static_cast<std::size_t>(id * 0x9E3779B97F4A7C15U >> 20U);
}

// What the registry wrote, or a store has read: record.h.
std::vector<EventRegistration> registrationsOf(const ClientRecord& record) {
    return *decodeRegistrations(record.registrations);
}

}  // namespace

// --- who is registered

ClientIndex Dispatcher::find(RecordId id) const {
    return table_.byId.find(hashOf(id), [&](ClientIndex client) { return table_.clients[client].id == id; });
}

ClientIndex Dispatcher::enroll(const ClientRecord& record) {
    ClientIndex client = find(record.id);
    if (client == noSlot) {
        client = table_.clients.add();
        table_.clients[client].id = record.id;
        table_.byId.add(client, hashOf(record.id),
                        [this](ClientIndex other) { return hashOf(table_.clients[other].id); });
        table_.end = std::max(table_.end, client + 1);
    }
    update(client, record);
    return client;
}

void Dispatcher::update(ClientIndex client, const ClientRecord& record) {
    Client& known = table_.clients[client];
    known.address = record.client;
    known.via = viaOf(record.via);
}

std::uint16_t Dispatcher::viaOf(const IpAddress& address) {
    const auto found = std::find(table_.vias.begin(), table_.vias.end(), address);
    if (found != table_.vias.end()) return static_cast<std::uint16_t>(found - table_.vias.begin());
    // No machine has so many; whoever comes later is sent to from whatever address the system chooses.
    if (table_.vias.size() > std::numeric_limits<std::uint16_t>::max()) return 0;
    table_.vias.push_back(address);
    return static_cast<std::uint16_t>(table_.vias.size() - 1);
}

// --- what was committed

void Dispatcher::hear(const Committed& committed) {
    changed_ = true;
    if (const auto* reloaded = std::get_if<AllReloaded>(&committed)) {
        heard_ = reloaded->number;
        return start(*reloaded->rows);
    }
    if (const auto* published = std::get_if<EventPublished>(&committed)) return hear(*published);
    if (const auto* changed = std::get_if<ClientChanged>(&committed)) return hear(*changed);
    hear(std::get<ClientLeft>(committed));
}

void Dispatcher::hear(const EventPublished& published) {
    std::vector<ClientIndex> wantedBy;
    matching_.match(*published.event, wantedBy);
    const auto forgotten = log_->append({published.sequence, published.event}, wantedBy);
    if (forgotten) log(msg::kindForgotten, *forgotten, rules_.mostKinds);
    if (history_.size() == mostHistory) history_.pop_front();
    history_.push_back({published.sequence, published.event, wantedBy.size(), 0});
    ++eventsSinceKeep_;
    if (isMissedEvents(*published.event)) oweState({published.sequence, published.event});
    for (const ClientIndex client : wantedBy)
        look(client);
    limitQueues(wantedBy);
    limitLog();
}

// As if everybody had just asked for what it has asked for. By the events and not by the clients, so that
// this costs what there is to send, not each client times each event.
void Dispatcher::oweState(const NumberedEvent& notice) {
    std::vector<bool> owes(table_.end);
    Owed owed;
    std::vector<ClientIndex> wantedBy;
    for (const NumberedEvent& event : log_->state().before(notice.sequence)) {
        wantedBy.clear();
        matching_.match(*event.event, wantedBy);
        for (const ClientIndex client : wantedBy) {
            owes[client] = true;
            owed.emplace_back(client, event.sequence);
        }
        if (owed.size() >= mostOwedAtOnce) oweState(notice.sequence, owed);
    }
    oweState(notice.sequence, owed);
    logMissed(notice, static_cast<std::size_t>(std::count(owes.begin(), owes.end(), true)));
}

void Dispatcher::oweState(Sequence notice, Owed& owed) {
    std::sort(owed.begin(), owed.end());
    std::vector<Sequence> initial;
    for (auto next = owed.cbegin(); next != owed.cend();) {
        const ClientIndex client = next->first;
        initial.clear();
        for (; next != owed.cend() && next->first == client; ++next)
            initial.push_back(next->second);
        countWanted(log_->add(client, notice, initial));
        look(client);
    }
    owed.clear();
}

void Dispatcher::logMissed(const NumberedEvent& notice, std::size_t clients) {
    const auto reason = reasonOfMissedEvents(*notice.event);
    log(msg::eventsMissed, notice.event->publisher, notice.sequence,
        reason.empty() ? "it gives no reason" : reason, clients);
}

void Dispatcher::hear(const ClientChanged& changed) {
    using How = ClientChanged::How;
    heard_ = changed.number;
    const auto registrations = registrationsOf(changed.record);
    ClientIndex client = find(changed.record.id);
    if (changed.how == How::joined || client == noSlot) {
        if (client != noSlot) dismiss(client);
        client = enroll(changed.record);
        joined(client, changed.record, registrations);
    } else {
        update(client, changed.record);
        if (changed.how != How::heard) matching_.set(client, registrations);
    }
    if (changed.how == How::added) {
        const auto before = decodeRegistrations(changed.before);
        const auto initial =
            log_->state().wanted(registrations, before ? std::span<const EventRegistration>(*before)
                                                       : std::span<const EventRegistration>());
        log_->add(client, changed.record.added, initial);
        // Also what comes in its turn: when it was published the client did not want it.
        countWanted(initial);
    }
    const bool isShut = changed.gate != nullptr && !changed.gate->isOpen();
    auto found = active_.find(client);
    if (found == active_.end() && log_->waiting(client) == 0 && !isShut) return;
    Active& active = active_[client];
    if (isShut) {
        active.gates.push_back(changed.gate);
        shut_.emplace_back(client, changed.gate);
    }
    active.schedule.heard();
    // The client is alive: what it waited for comes at once, and it is not given up any more.
    if (active.state != State::underWay && active.state != State::queued) withdraw(client, active);
    look(client);
}

void Dispatcher::joined(ClientIndex client, const ClientRecord& record,
                        const std::vector<EventRegistration>& registrations) {
    table_.clients[client].doubtful = false;
    matching_.set(client, registrations);
    const auto initial = log_->state().wanted(registrations, {});
    log_->join(client, record.joined, initial);
    countWanted(initial);
}

void Dispatcher::hear(const ClientLeft& left) {
    const ClientIndex client = find(left.id);
    if (client == noSlot) return;
    if (left.evicted) logRemoved(givenUp(client));
    crashPoint("client_left");
    dismiss(client);
    active_.erase(client);  // replies to whoever is gone hold nobody back
    log_->leave(client);
    matching_.remove(client);
    table_.byId.remove(client, hashOf(left.id),
                       [this](ClientIndex other) { return hashOf(table_.clients[other].id); });
    table_.clients.remove(client);
}

void Dispatcher::countWanted(const std::vector<Sequence>& initial) {
    for (const Sequence sequence : initial) {
        const auto event = std::lower_bound(
            history_.begin(), history_.end(), sequence,
            [](const EventProgress& progress, Sequence wanted) { return progress.sequence < wanted; });
        if (event != history_.end() && event->sequence == sequence) ++event->wanted;
    }
}

// --- limits

void Dispatcher::limitQueues(const std::vector<ClientIndex>& wantedBy) {
    for (const ClientIndex client : wantedBy) {
        const std::size_t waiting = log_->waiting(client);
        if (waiting <= rules_.queueEvents) continue;
        // What it was collapsed to may be more than the limit; collapsing that again would gain nothing.
        const auto& trouble = active_[client].trouble;
        if (trouble && waiting < 2 * trouble->collapsedTo) continue;
        collapse(client);
    }
}

void Dispatcher::limitLog() {
    const std::size_t mostBytes =
        std::max(rules_.leastLogBytes, rules_.queueEvents * rules_.bytesPerQueuedEvent);
    const auto isTooLong = [&] { return log_->events() > rules_.logEvents || log_->bytes() > mostBytes; };
    const auto release = [this] {
        const auto freed = log_->release();
        released_.insert(released_.end(), freed.begin(), freed.end());
    };
    if (!isTooLong()) return;
    release();
    if (!isTooLong()) return;
    // An eighth is made free at once, so that not every event collapses somebody.
    for (const ClientIndex client :
         log_->slowest(rules_.logEvents - rules_.logEvents / 8, mostBytes - mostBytes / 8))
        collapse(client);
    release();
}

void Dispatcher::collapse(ClientIndex client) {
    const std::size_t before = log_->waiting(client);
    log_->collapse(client, wantsOf(client));
    Active& active = active_[client];
    if (!active.trouble) active.trouble = std::make_unique<Trouble>();
    active.trouble->collapsedTo = log_->waiting(client);
    log(msg::queueCollapsed, table_.clients[client].address.text(), before, active.trouble->collapsedTo);
    look(client);
}

// --- starting anew

void Dispatcher::forgetAll() {
    for (const auto& [ticket, client] : underWay_)
        recall_(ticket);
    table_ = ClientTable{};
    matching_ = Matching{};
    active_.clear();
    shut_.clear();
    underWay_.clear();
    lanes_ = {};
    later_.clear();
    young_.clear();
    history_.clear();
    released_.clear();
    keeping_ = false;
    ++epoch_;
}

void Dispatcher::start(const Snapshot& rows) {
    const auto leaving = allGivenUp();
    const auto gates = allGates();
    forgetAll();
    kept_ = rows.mark;

    auto stored = readEvents(rows);
    log_ = std::make_unique<EventLog>(rules_.mostKinds, rows.mark.upTo, std::move(stored.older));
    std::vector<ClientIndex> behind;
    readClients(rows, stored, behind);
    appendNewer(stored.newer, behind);
    log_->reach(rows.last);
    waitForGates(gates, behind);
    for (const ClientIndex client : behind)
        look(client);
    // Only now: what a client that joined or was away still has to get is not known before.
    limitQueues(behind);
    limitLog();
    // Nobody could say what became of the removal.
    for (const GivenUp& client : leaving) {
        if (find(client.id) == noSlot) logRemoved(client);
    }
    changed_ = true;
    log(msg::deliveryBegan, rows.events.size(), rows.clients.size(), log_->behind());
}

Dispatcher::Gates Dispatcher::allGates() const {
    Gates gates;
    for (const auto& [client, active] : active_) {
        for (const auto& gate : active.gates)
            gates.emplace_back(table_.clients[client].id, gate);
    }
    return gates;
}

// Whoever has not got its reply yet still gets it first.
void Dispatcher::waitForGates(const Gates& gates, std::vector<ClientIndex>& behind) {
    for (const auto& [id, gate] : gates) {
        const ClientIndex client = find(id);
        if (client == noSlot) continue;
        shut_.emplace_back(client, gate);
        active_[client].gates.push_back(gate);
        behind.push_back(client);
    }
}

// Each client stands in `behind` once, however many of the events it wants: they may be very many.
void Dispatcher::appendNewer(const std::vector<NumberedEvent>& events, std::vector<ClientIndex>& behind) {
    std::vector<ClientIndex> wantedBy;
    for (const auto& event : events) {
        wantedBy.clear();
        matching_.match(*event.event, wantedBy);
        std::copy_if(wantedBy.begin(), wantedBy.end(), std::back_inserter(behind),
                     [this](ClientIndex client) { return !log_->isBehind(client); });
        log_->append(event, wantedBy);
        if (history_.size() == mostHistory) history_.pop_front();
        history_.push_back({event.sequence, event.event, wantedBy.size(), 0});
    }
}

Dispatcher::StoredEvents Dispatcher::readEvents(const Snapshot& rows) const {
    StoredEvents stored{CurrentState(rules_.mostKinds), {}, {}, {}};
    for (const EventRecord& row : rows.events) {
        NumberedEvent event{row.sequence, std::make_shared<const Event>(*decodeEvent(row.event))};
        stored.state.put(event);
        if (isMissedEvents(*event.event)) stored.notice = event;
        (row.sequence <= rows.mark.upTo ? stored.older : stored.newer).push_back(std::move(event));
    }
    return stored;
}

void Dispatcher::readClients(const Snapshot& rows, const StoredEvents& events,
                             std::vector<ClientIndex>& behind) {
    const auto& laggards = rows.mark.laggards;
    std::size_t mayHaveMissed = 0;
    table_.byId.reserve(rows.clients.size());
    matching_.reserve(rows.clients.size());
    for (const ClientRecord& row : rows.clients) {
        const auto registrations = registrationsOf(row);
        const ClientIndex client = enroll(row);
        matching_.set(client, registrations);
        const auto laggard =
            std::lower_bound(laggards.begin(), laggards.end(), row.id,
                             [](const MarkRecord::Laggard& one, RecordId id) { return one.client < id; });
        const bool lags = laggard != laggards.end() && laggard->client == row.id;
        const Sequence stored = lags ? laggard->position : rows.mark.upTo;
        Resumption from = resumption(stored, row.joined, row.added);
        const bool resumes = lags || row.joined > stored || row.added > stored;
        const bool missed = from.position < events.notice.sequence;
        if (!resumes && !missed) continue;
        from.owesState = from.owesState || missed;
        const auto initial =
            from.owesState ? events.state.wanted(registrations, {}) : std::vector<Sequence>{};
        if (missed && !initial.empty()) ++mayHaveMissed;
        if (!resumes && initial.empty()) continue;
        log_->resume(client, stored, from, initial);
        behind.push_back(client);
    }
    if (mayHaveMissed > 0) logMissed(events.notice, mayHaveMissed);
}

// --- for people

std::optional<ClientProgress> Dispatcher::progress(const CallbackAddress& address) const {
    ClientIndex client = 0;
    while (client < table_.end &&
           (table_.clients[client].id == 0 || table_.clients[client].address != address))
        ++client;
    if (client == table_.end) return std::nullopt;
    ClientProgress progress;
    progress.id = table_.clients[client].id;
    progress.position = log_->position(client);
    progress.waiting = log_->waiting(client);
    const auto found = active_.find(client);
    if (found == active_.end()) return progress;
    const Active& active = found->second;
    progress.failures = active.schedule.failures();
    progress.underWay = active.state == State::underWay;
    progress.leaving = active.state == State::leaving || active.state == State::removingLater;
    if (active.trouble) progress.attempts = active.trouble->tried;
    if (active.state == State::waiting)
        progress.nextIn = std::chrono::ceil<std::chrono::milliseconds>(active.since - clock_.steady());
    return progress;
}

EventsProgress Dispatcher::events(std::size_t most) const {
    EventsProgress progress;
    const std::size_t count = std::min(most, history_.size());
    progress.events.assign(history_.end() - static_cast<std::ptrdiff_t>(count), history_.end());
    progress.head = log_->head();
    progress.mark = kept_;
    progress.behind = log_->behind();
    return progress;
}

}  // namespace crnpd::delivery
