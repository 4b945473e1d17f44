// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/event_log.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace crnpd::delivery {

EventLog::EventLog(std::size_t mostKinds, Sequence upTo, std::vector<NumberedEvent> older)
    : state_(mostKinds), head_(upTo) {
    for (auto& event : older)
        remember(std::move(event));
}

// --- what happens

std::optional<CurrentState::Dropped> EventLog::remember(NumberedEvent event) {
    log_.push_back(event);
    const auto dropped = state_.put(std::move(event));
    if (dropped && kept_.erase(dropped->sequence) > 0) deletable_.push_back(dropped->sequence);
    return dropped;
}

std::optional<Sequence> EventLog::append(NumberedEvent event, std::span<const ClientIndex> wantedBy) {
    for (const ClientIndex client : wantedBy)
        ++behindOf(client, head_).waiting;
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

void EventLog::add(ClientIndex client, Sequence at, const std::vector<Sequence>& initial) {
    if (!initial.empty()) owe(behindOf(client, head_), at - 1, initial);
    head_ = at;
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
    for (; !behind.owed.empty(); behind.owed.pop_back()) {
        // Where a newer one has taken its place, that one is above the position and comes in its turn.
        auto event = state_.event(behind.owed.back());
        if (event != nullptr && wants(*event)) return NumberedEvent{behind.owed.back(), std::move(event)};
    }
    const auto wanted = std::find_if(after(behind.position), log_.cend(),
                                     [&](const NumberedEvent& event) { return wants(*event.event); });
    if (wanted == log_.cend() && behind.position <= head_) {
        forget(found);
        return std::nullopt;
    }
    if (wanted == log_.cend()) return std::nullopt;  // joined above what a new leader has appended so far
    if (wanted != log_.cbegin()) move(behind, std::max(behind.position, std::prev(wanted)->sequence));
    return *wanted;
}

void EventLog::delivered(ClientIndex client, Sequence sequence) {
    const auto found = behind_.find(client);
    if (found == behind_.end()) return;
    Behind& behind = found->second;
    if (std::erase(behind.owed, sequence) > 0 || sequence <= behind.position) return;
    move(behind, sequence);
    if (behind.waiting > 0) --behind.waiting;
}

void EventLog::collapse(ClientIndex client, const Wants& wants) {
    const auto found = behind_.find(client);
    if (found == behind_.end()) return;
    Behind& behind = found->second;
    const Sequence from = behind.position;
    const auto current = state_.collapsed(from, head_, wants);
    move(behind, std::max(from, head_));
    // What may be stored stays: a new leader finds the current ones behind it, and the others are gone or
    // come.
    owe(behind, from, current);
    behind.waiting = 0;
}

// --- who is where

EventLog::Behind& EventLog::behindOf(ClientIndex client, Sequence position) {
    const auto [found, isNew] = behind_.try_emplace(client);
    if (isNew) {
        found->second.position = position;
        ++positions_[position];
    }
    return found->second;
}

void EventLog::owe(Behind& behind, Sequence from, const std::vector<Sequence>& initial) {
    from = std::min(from, behind.position);
    behind.owedFrom = behind.owed.empty() ? from : std::min(behind.owedFrom, from);
    behind.owed.insert(behind.owed.end(), initial.begin(), initial.end());
    std::sort(behind.owed.begin(), behind.owed.end(), std::greater<>{});
    behind.owed.erase(std::unique(behind.owed.begin(), behind.owed.end()), behind.owed.end());
    std::erase_if(behind.owed, [&](Sequence sequence) { return sequence > behind.position; });
}

void EventLog::move(Behind& behind, Sequence position) {
    if (behind.position == position) return;
    const auto old = positions_.find(behind.position);
    if (--old->second == 0) positions_.erase(old);
    behind.position = position;
    ++positions_[position];
}

void EventLog::forget(Clients::iterator client) {
    const auto old = positions_.find(client->second.position);
    if (--old->second == 0) positions_.erase(old);
    behind_.erase(client);
}

std::deque<NumberedEvent>::const_iterator EventLog::after(Sequence position) const {
    return std::upper_bound(
        log_.begin(), log_.end(), position,
        [](Sequence sequence, const NumberedEvent& event) { return sequence < event.sequence; });
}

Sequence EventLog::lowest() const {
    return positions_.empty() ? head_ : std::min(positions_.begin()->first, head_);
}

Sequence EventLog::position(ClientIndex client) const {
    const auto found = behind_.find(client);
    return found == behind_.end() ? head_ : storable(found->second);
}

std::size_t EventLog::waiting(ClientIndex client) const {
    const auto found = behind_.find(client);
    return found == behind_.end() ? 0 : found->second.waiting + found->second.owed.size();
}

std::vector<ClientIndex> EventLog::slowest() const {
    std::vector<ClientIndex> clients;
    const Sequence position = lowest();
    for (const auto& [client, behind] : behind_) {
        if (behind.position == position) clients.push_back(client);
    }
    return clients;
}

// --- what is stored

Sequence EventLog::storable(const Behind& behind) {
    return behind.owed.empty() ? behind.position : behind.owedFrom;
}

Mark EventLog::mark(std::size_t mostLaggards) const {
    Mark mark{head_, {}};
    std::vector<Sequence> positions;
    positions.reserve(behind_.size());
    for (const auto& [client, behind] : behind_)
        positions.push_back(storable(behind));
    if (positions.size() > mostLaggards) {
        const auto limit = positions.begin() + static_cast<std::ptrdiff_t>(mostLaggards);
        std::nth_element(positions.begin(), limit, positions.end());
        mark.upTo = std::min(mark.upTo, *limit);
    }
    for (const auto& [client, behind] : behind_) {
        if (storable(behind) < mark.upTo) mark.laggards.push_back({client, storable(behind)});
    }
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
        log_.pop_front();
    }
    return std::exchange(deletable_, {});
}

}  // namespace crnpd::delivery
