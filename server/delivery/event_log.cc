// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/event_log.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string>
#include <utility>

namespace crnpd::delivery {
namespace {

// About what an event takes of memory.
std::size_t bytesOf(const Event& event) {
    std::size_t bytes = sizeof event + event.eventClass.size() + event.subclass.size() + event.vendor.size() +
                        event.publisher.size();
    for (const NvPair& pair : event.pairs) {
        bytes += sizeof pair + pair.name.size();
        for (const std::string& value : pair.values)
            bytes += sizeof(std::string) + value.size();
    }
    return bytes;
}

}  // namespace

EventLog::EventLog(std::size_t mostKinds, Sequence upTo, std::vector<NumberedEvent> older)
    : state_(mostKinds), head_(upTo) {
    for (auto& event : older)
        remember(std::move(event));
}

// --- what happens

std::optional<CurrentState::Dropped> EventLog::remember(NumberedEvent event) {
    log_.push_back(event);
    bytes_ += bytesOf(*event.event);
    const auto dropped = state_.put(std::move(event));
    if (dropped && kept_.erase(dropped->sequence) > 0) deletable_.push_back(dropped->sequence);
    return dropped;
}

std::optional<Sequence> EventLog::append(NumberedEvent event, std::span<const ClientIndex> wantedBy) {
    for (const ClientIndex client : wantedBy) {
        // Under a new leader it may have joined after this event.
        Behind& behind = behindOf(client, head_)->second;
        if (behind.position < event.sequence) ++behind.waiting;
    }
    head_ = event.sequence;
    const auto dropped = remember(std::move(event));
    if (!dropped || !dropped->forgotten) return std::nullopt;
    return dropped->sequence;
}

void EventLog::join(ClientIndex client, Sequence at, const std::vector<Sequence>& initial) {
    leave(client);
    head_ = at;
    if (!initial.empty()) owe(behindOf(client, at), at - 1, initial);
}

std::vector<Sequence> EventLog::add(ClientIndex client, Sequence at, const std::vector<Sequence>& initial) {
    std::vector<Sequence> added;
    if (!initial.empty()) added = owe(behindOf(client, head_), at - 1, initial);
    head_ = at;
    return added;
}

void EventLog::resume(ClientIndex client, Sequence stored, Resumption from,
                      const std::vector<Sequence>& initial) {
    leave(client);
    owe(behindOf(client, from.position), stored, initial);
}

void EventLog::reach(Sequence head) {
    head_ = std::max(head_, head);
}

void EventLog::leave(ClientIndex client) {
    if (const auto found = behind_.find(client); found != behind_.end()) forget(found);
}

std::optional<NumberedEvent> EventLog::next(ClientIndex client, const Wants& wants) {
    const auto found = behind_.find(client);
    if (found == behind_.end()) return std::nullopt;
    Behind& behind = found->second;
    while (!behind.owed.empty()) {
        // Where a newer one has taken its place, that one is above the position and comes in its turn.
        auto event = state_.event(behind.owed.back());
        if (event != nullptr && wants(*event)) return NumberedEvent{behind.owed.back(), std::move(event)};
        change(found, [](Behind& one) { one.owed.pop_back(); });
    }
    const auto wanted = std::find_if(after(behind.position), log_.cend(),
                                     [&](const NumberedEvent& event) { return wants(*event.event); });
    if (wanted == log_.cend() && behind.position <= head_) {
        forget(found);
        return std::nullopt;
    }
    if (wanted == log_.cend()) return std::nullopt;  // joined above what a new leader has appended so far
    if (wanted != log_.cbegin()) move(found, std::max(behind.position, std::prev(wanted)->sequence));
    return *wanted;
}

void EventLog::delivered(ClientIndex client, Sequence sequence) {
    const auto found = behind_.find(client);
    if (found == behind_.end()) return;
    Behind& behind = found->second;
    const auto owed = std::lower_bound(behind.owed.rbegin(), behind.owed.rend(), sequence);
    if (owed != behind.owed.rend() && *owed == sequence)
        return change(found, [&](Behind& one) { one.owed.erase(std::next(owed).base()); });
    if (sequence <= behind.position) return;
    move(found, sequence);
    if (behind.waiting > 0) --behind.waiting;
}

void EventLog::collapse(ClientIndex client, const Wants& wants) {
    const auto found = behind_.find(client);
    if (found == behind_.end()) return;
    Behind& behind = found->second;
    const Sequence from = behind.position;
    const auto current = state_.collapsed(from, head_, wants);
    move(found, std::max(from, head_));
    // What may be stored stays: a new leader finds the current ones behind it, and the others are gone or
    // come.
    owe(found, from, current);
    behind.waiting = 0;
}

// --- who is where

EventLog::Clients::iterator EventLog::behindOf(ClientIndex client, Sequence position) {
    const auto [found, isNew] = behind_.try_emplace(client);
    if (isNew) {
        found->second.position = position;
        found->second.place = positions_.add(position, client);
        found->second.storablePlace = storable_.add(position, client);
    }
    return found;
}

std::vector<Sequence> EventLog::owe(Clients::iterator client, Sequence from,
                                    const std::vector<Sequence>& initial) {
    std::vector<Sequence> added;
    change(client, [&](Behind& behind) {
        auto& owed = behind.owed;
        std::copy_if(initial.begin(), initial.end(), std::back_inserter(added), [&](Sequence sequence) {
            return sequence <= behind.position &&
                   !std::binary_search(owed.begin(), owed.end(), sequence, std::greater<>{});
        });
        const Sequence first = std::min(from, behind.position);
        behind.owedFrom = owed.empty() ? first : std::min(behind.owedFrom, first);
        const auto old = static_cast<std::ptrdiff_t>(owed.size());
        owed.insert(owed.end(), added.rbegin(), added.rend());
        std::inplace_merge(owed.begin(), owed.begin() + old, owed.end(), std::greater<>{});
    });
    return added;
}

void EventLog::move(Clients::iterator client, Sequence position) {
    change(client, [position](Behind& behind) { behind.position = position; });
}

// The only way to change where a client is or what it is owed: keeps it in its places.
template <typename Change>
void EventLog::change(Clients::iterator client, const Change& what) {
    auto& [index, behind] = *client;
    const Sequence position = behind.position;
    const Sequence stored = storable(behind);
    what(behind);
    if (behind.position != position) {
        leavePosition(position, behind.place);
        behind.place = positions_.add(behind.position, index);
    }
    if (storable(behind) != stored) {
        leaveStorable(stored, behind.storablePlace);
        behind.storablePlace = storable_.add(storable(behind), index);
    }
}

void EventLog::leavePosition(Sequence position, Positions::Place place) {
    const auto moved = positions_.remove(position, place);
    if (moved) behind_.at(moved->client).place = moved->to;
}

void EventLog::leaveStorable(Sequence position, Positions::Place place) {
    const auto moved = storable_.remove(position, place);
    if (moved) behind_.at(moved->client).storablePlace = moved->to;
}

void EventLog::forget(Clients::iterator client) {
    const Behind& behind = client->second;
    leavePosition(behind.position, behind.place);
    leaveStorable(storable(behind), behind.storablePlace);
    behind_.erase(client);
}

std::deque<NumberedEvent>::const_iterator EventLog::after(Sequence position) const {
    return std::upper_bound(
        log_.begin(), log_.end(), position,
        [](Sequence sequence, const NumberedEvent& event) { return sequence < event.sequence; });
}

Sequence EventLog::lowest() const {
    return std::min(positions_.lowest().value_or(head_), head_);
}

Sequence EventLog::position(ClientIndex client) const {
    const auto found = behind_.find(client);
    return found == behind_.end() ? head_ : storable(found->second);
}

std::size_t EventLog::waiting(ClientIndex client) const {
    const auto found = behind_.find(client);
    return found == behind_.end() ? 0 : found->second.waiting + found->second.owed.size();
}

std::vector<ClientIndex> EventLog::slowest(std::size_t mostEvents, std::size_t mostBytes) const {
    std::size_t events = log_.size();
    std::size_t bytes = bytes_;
    auto kept = log_.begin();
    for (; kept != log_.end() && (events > mostEvents || bytes > mostBytes); ++kept) {
        --events;
        bytes -= bytesOf(*kept->event);
    }
    std::vector<ClientIndex> clients;
    if (kept == log_.begin()) return clients;
    const Sequence free = std::prev(kept)->sequence;
    positions_.walk([&](Sequence position, ClientIndex client) {
        if (position >= free) return false;
        clients.push_back(client);
        return true;
    });
    return clients;
}

// --- what is stored

Sequence EventLog::storable(const Behind& behind) {
    return behind.owed.empty() ? behind.position : behind.owedFrom;
}

Mark EventLog::mark(std::size_t mostLaggards) const {
    Mark mark{head_, {}};
    storable_.walk([&](Sequence position, ClientIndex client) {
        if (position >= head_) return false;
        if (mark.laggards.size() == mostLaggards) {
            mark.upTo = position;
            return false;
        }
        mark.laggards.push_back({client, position});
        return true;
    });
    std::erase_if(mark.laggards, [&](const Mark::Laggard& one) { return one.position >= mark.upTo; });
    std::sort(mark.laggards.begin(), mark.laggards.end(),
              [](const auto& a, const auto& b) { return a.client < b.client; });
    return mark;
}

std::vector<Sequence> EventLog::release() {
    const Sequence everybodyHas = lowest();
    while (!log_.empty() && log_.front().sequence <= everybodyHas) {
        const Sequence sequence = log_.front().sequence;
        if (state_.holds(sequence)) {
            kept_.insert(sequence);
        } else {
            deletable_.push_back(sequence);
        }
        bytes_ -= bytesOf(*log_.front().event);
        log_.pop_front();
    }
    return std::exchange(deletable_, {});
}

}  // namespace crnpd::delivery
