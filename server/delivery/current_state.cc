// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/current_state.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "common/missed_events.h"
#include "common/record_text.h"

namespace crnpd::delivery {
namespace {

using record_text::append;

struct NamedType {
    std::string_view subclass;
    std::string_view pair;  // the one that holds the name
};

constexpr std::string_view clusterClass = "EC_Cluster";
constexpr std::array namedTypes{
    NamedType{"ESC_cluster_rg_state", "rg_name"},
    NamedType{"ESC_cluster_r_state", "r_name"},
};

// Empty where the type has no names.
std::string_view namingPair(std::string_view eventClass, std::string_view subclass) {
    if (eventClass != clusterClass) return {};
    const auto* const found = std::find_if(namedTypes.begin(), namedTypes.end(),
                                           [&](const NamedType& type) { return type.subclass == subclass; });
    return found == namedTypes.end() ? std::string_view{} : found->pair;
}

const NvPair* firstNamed(const std::vector<NvPair>& pairs, std::string_view name) {
    const auto found =
        std::find_if(pairs.begin(), pairs.end(), [&](const NvPair& pair) { return pair.name == name; });
    return found == pairs.end() ? nullptr : &*found;
}

std::string typeKey(const std::string& eventClass, const std::string* subclass) {
    std::string key;
    append(key, std::string_view{eventClass});
    if (subclass != nullptr) append(key, std::string_view{*subclass});
    return key;
}

std::string kindOf(const Event& event) {
    std::string key = typeKey(event.eventClass, &event.subclass);
    const std::string_view naming = namingPair(event.eventClass, event.subclass);
    if (naming.empty()) return key;
    const auto names = std::count_if(event.pairs.begin(), event.pairs.end(),
                                     [&](const NvPair& pair) { return pair.name == naming; });
    if (names == 1) append(key, *firstNamed(event.pairs, naming));
    return key;
}

bool asksForAny(std::span<const EventRegistration> registrations, const Event& event) {
    return std::any_of(registrations.begin(), registrations.end(),
                       [&](const auto& registration) { return asksFor(registration, event); });
}

}  // namespace

std::optional<CurrentState::Dropped> CurrentState::put(NumberedEvent event) {
    std::optional<Dropped> dropped;
    const auto [kind, isNew] = byKind_.try_emplace(kindOf(*event.event), event.sequence);
    if (!isNew) {
        dropped = Dropped{kind->second, false};
        bySequence_.erase(kind->second);
        kind->second = event.sequence;
    }
    bySequence_.emplace_hint(bySequence_.end(), event.sequence, Held{std::move(event.event), kind});
    if (bySequence_.size() <= most_) return dropped;

    auto oldest = bySequence_.begin();
    if (isMissedEvents(*oldest->second.event)) ++oldest;
    dropped = Dropped{oldest->first, true};
    byKind_.erase(oldest->second.kind);
    bySequence_.erase(oldest);
    return dropped;
}

std::vector<NumberedEvent> CurrentState::before(Sequence sequence) const {
    std::vector<NumberedEvent> found;
    for (auto held = bySequence_.begin(); held != bySequence_.end() && held->first < sequence; ++held)
        found.push_back({held->first, held->second.event});
    return found;
}

std::shared_ptr<const Event> CurrentState::event(Sequence sequence) const {
    const auto found = bySequence_.find(sequence);
    return found == bySequence_.end() ? nullptr : found->second.event;
}

void CurrentState::addMatches(const EventRegistration& registration, const Key& prefix, bool exact,
                              std::vector<Sequence>& found) const {
    for (auto kind = byKind_.lower_bound(prefix); kind != byKind_.end(); ++kind) {
        if (!kind->first.starts_with(prefix) || (exact && kind->first != prefix)) return;
        if (asksFor(registration, *bySequence_.at(kind->second).event)) found.push_back(kind->second);
    }
}

std::vector<Sequence> CurrentState::wanted(std::span<const EventRegistration> now,
                                           std::span<const EventRegistration> before) const {
    std::vector<Sequence> found;
    if (bySequence_.empty()) return found;
    for (const auto& registration : now) {
        const std::string* const subclass = registration.subclass ? &*registration.subclass : nullptr;
        const Key type = typeKey(registration.eventClass, subclass);
        const auto naming = subclass == nullptr ? std::string_view{}
                                                : namingPair(registration.eventClass, *registration.subclass);
        const NvPair* const name = naming.empty() ? nullptr : firstNamed(registration.pairs, naming);
        addMatches(registration, type, name != nullptr, found);
        if (name == nullptr) continue;
        Key kind = type;
        append(kind, *name);
        addMatches(registration, kind, true, found);
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    std::erase_if(found, [&](Sequence sequence) { return asksForAny(before, *event(sequence)); });
    return found;
}

std::vector<Sequence> CurrentState::collapsed(Sequence after, Sequence upTo, const Wants& wants) const {
    std::vector<Sequence> found;
    for (auto held = bySequence_.upper_bound(after); held != bySequence_.end() && held->first <= upTo;
         ++held) {
        if (wants(*held->second.event)) found.push_back(held->first);
    }
    return found;
}

}  // namespace crnpd::delivery
