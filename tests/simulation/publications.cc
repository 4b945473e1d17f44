// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/publications.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "common/event_codec.h"

namespace crnpd::simulation {

std::shared_ptr<const Event> Publications::invent() {
    return std::make_shared<const Event>(
        Event{fmt::format("E{}", ++invented_), "S", "vendor", "publisher", {}});
}

void Publications::acknowledged(const Event& event, Sequence sequence) {
    acknowledged_.emplace_back(sequence, event.eventClass);
    know(sequence, event.eventClass);
}

void Publications::committed(BatchId batch, const std::vector<Committed>& told) {
    for (const auto& one : told) {
        if (const auto* published = std::get_if<EventPublished>(&one)) {
            know(published->sequence, published->event->eventClass);
            order(batch, published->sequence);
        }
        const auto* changed = std::get_if<ClientChanged>(&one);
        const bool hasNumber = changed != nullptr && (changed->how == ClientChanged::How::joined ||
                                                      changed->how == ClientChanged::How::added);
        if (!hasNumber) continue;
        know(changed->record.added, changed->record.client.text());
        order(batch, changed->record.added);
    }
}

void Publications::loaded(const Snapshot& rows, std::size_t before) {
    std::map<Sequence, std::string> there;
    for (const auto& [sequence, record] : rows.events) {
        const auto event = decodeEvent(record);
        if (!event) return report_(event.error().text);
        there.emplace(sequence, event->eventClass);
        know(sequence, event->eventClass);
    }
    for (std::size_t i = 0; i < before; ++i) {
        const auto& [sequence, event] = acknowledged_[i];
        const auto found = there.find(sequence);
        if (found == there.end() || found->second != event)
            report_(fmt::format("event {} was acknowledged as {}, but a later leader does not have it", event,
                                sequence));
    }
    for (const auto& row : rows.clients) {
        know(row.joined, row.client.text());
        know(row.added, row.client.text());
    }
    if (!there.empty() && there.rbegin()->first > rows.last)
        report_(fmt::format("event {} is above {}, the last number", there.rbegin()->first, rows.last));
}

void Publications::know(Sequence sequence, const std::string& what) {
    if (sequence == 0) return;
    const auto [known, isNew] = known_.emplace(sequence, what);
    if (!isNew && known->second != what)
        report_(fmt::format("number {} stands for {} and for {}", sequence, known->second, what));
}

void Publications::order(BatchId batch, Sequence sequence) {
    auto [place, isNew] = spans_.emplace(batch, std::pair{sequence, sequence});
    if (!isNew) {
        if (sequence <= place->second.second)
            report_(fmt::format("within batch {}, {} came after {}", batch, sequence, place->second.second));
        place->second.second = sequence;
    }
    const auto next = std::next(place);
    const bool isAboveLast = place == spans_.begin() || std::prev(place)->second.second < sequence;
    const bool isBelowNext = next == spans_.end() || sequence < next->second.first;
    if (!isAboveLast || !isBelowNext)
        report_(fmt::format("number {} of batch {} is not in the order of the commits", sequence, batch));
}

}  // namespace crnpd::simulation
