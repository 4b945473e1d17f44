// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/matching.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

namespace crnpd::delivery {
namespace {

// As few bytes as they take, because there may be a million of them: the length in steps of 7 bits, lowest
// first, then the bytes. Only ever compared.
void append(std::string& out, std::size_t number) {
    for (; number >= 0x80; number >>= 7U)
        out.push_back(static_cast<char>(0x80U | (number & 0x7FU)));
    out.push_back(static_cast<char>(number));
}
void append(std::string& out, const std::string& text) {
    append(out, text.size());
    out.append(text);
}

// Different for each class and subclass, and for an absent subclass and an empty one.
std::string typeText(const std::string& eventClass, const std::string* subclass) {
    std::string text;
    append(text, eventClass);
    if (subclass != nullptr) append(text, *subclass);
    return text;
}

// Different for each pair: the values go up to the end.
std::string pairText(const NvPair& pair) {
    std::string text;
    append(text, pair.name);
    for (const std::string& value : pair.values)
        append(text, value);
    return text;
}

std::size_t mixed(std::size_t hash, std::uint32_t number) noexcept {
    // Steps of splitmix64: numbers that follow each other land far apart.
    hash = (hash ^ number) * 0x9E3779B97F4A7C15U;
    hash = (hash ^ (hash >> 30U)) * 0xBF58476D1CE4E5B9U;
    return hash ^ (hash >> 27U);
}

std::size_t hashOf(std::uint32_t type, std::uint32_t anchor) noexcept {
    return mixed(mixed(0, type), anchor);
}
std::size_t hashOf(std::uint32_t type, const std::vector<std::uint32_t>& pairs) noexcept {
    std::size_t hash = mixed(0, type);
    for (const std::uint32_t pair : pairs)
        hash = mixed(hash, pair);
    return hash;
}

void sortOut(std::vector<std::uint32_t>& numbers) {
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
}

}  // namespace

void Matching::reserve(std::size_t clients) {
    pairs_.reserve(clients);
    groupTable_.reserve(clients);
    clients_.resize(std::max(clients_.size(), clients));
}

void Matching::set(ClientIndex client, std::span<const EventRegistration> registrations) {
    // Before the old ones go, so that what stays is not made anew.
    std::vector<PatternId> patterns;
    patterns.reserve(registrations.size());
    for (const auto& registration : registrations)
        patterns.push_back(patternOf(registration));
    sortOut(patterns);

    if (client >= clients_.size()) clients_.resize(std::size_t{client} + 1);
    const SmallList<Link> old = std::exchange(clients_[client].links, {});
    for (const PatternId pattern : patterns) {
        auto& list = clientsOf(pattern);
        clients_[client].links.push({pattern, list.size()});
        list.push(client);
    }
    for (const Link link : old)
        unlink(link);
}

void Matching::remove(ClientIndex client) {
    if (client < clients_.size()) set(client, {});
}

std::size_t Matching::patterns() const noexcept {
    return groups_.used() + compounds_.used();
}

bool Matching::isEmpty() const noexcept {
    return patterns() + types_.size() + pairs_.size() == 0;
}

// --- patterns

Matching::PatternId Matching::patternOf(const EventRegistration& registration) {
    const TypeId type = types_.use(
        typeText(registration.eventClass, registration.subclass ? &*registration.subclass : nullptr));
    std::vector<PairId> used;
    used.reserve(registration.pairs.size());
    for (const NvPair& pair : registration.pairs)
        used.push_back(pairs_.use(pairText(pair)));
    std::vector<PairId> pairs = used;
    sortOut(pairs);

    const PatternId pattern =
        pairs.size() > 1 ? compoundOf(type, pairs) : groupOf(type, pairs.empty() ? noSlot : pairs.front());
    types_.release(type);
    for (const PairId pair : used)
        pairs_.release(pair);
    return pattern;
}

std::uint32_t Matching::findGroup(TypeId type, PairId anchor) const {
    return groupTable_.find(hashOf(type, anchor), [&](std::uint32_t number) {
        return groups_[number].type == type && groups_[number].anchor == anchor;
    });
}

std::size_t Matching::hashOfGroup(std::uint32_t group) const {
    return hashOf(groups_[group].type, groups_[group].anchor);
}

std::size_t Matching::hashOfCompound(std::uint32_t compound) const {
    return hashOf(groups_[compounds_[compound].group].type, compounds_[compound].pairs);
}

std::uint32_t Matching::groupOf(TypeId type, PairId anchor) {
    if (const auto found = findGroup(type, anchor); found != noSlot) return found;
    const std::uint32_t number = groups_.add();
    groups_[number].type = type;
    groups_[number].anchor = anchor;
    types_.use(type);
    if (anchor != noSlot) pairs_.use(anchor);
    groupTable_.add(number, hashOf(type, anchor), [this](std::uint32_t other) { return hashOfGroup(other); });
    return number;
}

// Else a pair that every client has, the cluster's name say, would bring all of them back into one list.
Matching::PairId Matching::rarest(TypeId type, const std::vector<PairId>& pairs) const {
    PairId best = pairs.front();
    std::optional<std::uint32_t> fewest;
    for (const PairId pair : pairs) {
        const std::uint32_t group = findGroup(type, pair);
        const std::uint32_t others = group == noSlot ? 0 : groups_[group].compounds;
        if (!fewest || others < *fewest) {
            best = pair;
            fewest = others;
        }
    }
    return best;
}

Matching::PatternId Matching::compoundOf(TypeId type, const std::vector<PairId>& pairs) {
    const std::size_t hash = hashOf(type, pairs);
    const auto found = compoundTable_.find(hash, [&](std::uint32_t number) {
        return groups_[compounds_[number].group].type == type && compounds_[number].pairs == pairs;
    });
    if (found != noSlot) return found | compoundMark;

    const std::uint32_t group = groupOf(type, rarest(type, pairs));
    const std::uint32_t number = compounds_.add();
    Compound& added = compounds_[number];
    added.group = group;
    added.pairs = pairs;
    for (const PairId pair : pairs)
        pairs_.use(pair);
    added.next = std::exchange(groups_[group].firstCompound, number);
    if (added.next != noSlot) compounds_[added.next].previous = number;
    ++groups_[group].compounds;
    compoundTable_.add(number, hash, [this](std::uint32_t other) { return hashOfCompound(other); });
    return number | compoundMark;
}

// --- who stands in which pattern

SmallList<ClientIndex>& Matching::clientsOf(PatternId pattern) {
    return isCompound(pattern) ? compounds_[pattern & ~compoundMark].clients : groups_[pattern].clients;
}

// The client may stand in the list twice, because it was just registered for the same again: then the newer
// entry is behind this one.
void Matching::unlink(Link link) {
    auto& list = clientsOf(link.pattern);
    const ClientIndex last = list.back();
    list[link.position] = last;
    list.pop();
    if (link.position < list.size()) {
        auto& links = clients_[last].links;
        const auto found =
            std::lower_bound(links.begin(), links.end(), link.pattern,
                             [](const Link& other, PatternId pattern) { return other.pattern < pattern; });
        found->position = link.position;
    }
    if (list.empty()) dropUnused(link.pattern);
}

void Matching::dropUnused(PatternId pattern) {
    if (isCompound(pattern)) {
        dropCompound(pattern & ~compoundMark);
    } else {
        dropUnusedGroup(pattern);
    }
}

void Matching::dropCompound(std::uint32_t number) {
    compoundTable_.remove(number, hashOfCompound(number),
                          [this](std::uint32_t other) { return hashOfCompound(other); });
    const Compound& gone = compounds_[number];
    const std::uint32_t group = gone.group;
    (gone.previous == noSlot ? groups_[group].firstCompound : compounds_[gone.previous].next) = gone.next;
    if (gone.next != noSlot) compounds_[gone.next].previous = gone.previous;
    --groups_[group].compounds;
    for (const PairId pair : gone.pairs)
        pairs_.release(pair);
    compounds_.remove(number);
    dropUnusedGroup(group);
}

void Matching::dropUnusedGroup(std::uint32_t number) {
    const Group& group = groups_[number];
    if (!group.clients.empty() || group.compounds > 0) return;
    groupTable_.remove(number, hashOfGroup(number),
                       [this](std::uint32_t other) { return hashOfGroup(other); });
    types_.release(group.type);
    if (group.anchor != noSlot) pairs_.release(group.anchor);
    groups_.remove(number);
}

// --- events

Matching::Seen Matching::see(const Event& event) const {
    Seen seen;
    seen.exact = types_.find(typeText(event.eventClass, &event.subclass));
    seen.anySubclass = types_.find(typeText(event.eventClass, nullptr));
    if (seen.exact == noSlot && seen.anySubclass == noSlot) return seen;
    for (const NvPair& pair : event.pairs) {
        if (const PairId found = pairs_.find(pairText(pair)); found != noSlot) seen.pairs.push_back(found);
    }
    sortOut(seen.pairs);
    return seen;
}

void Matching::collect(const SmallList<ClientIndex>& from, std::vector<ClientIndex>& clients) {
    for (const ClientIndex client : from) {
        if (std::exchange(clients_[client].lastMatch, lastMatch_) != lastMatch_) clients.push_back(client);
    }
}

void Matching::collectGroup(std::uint32_t group, const Seen& seen, std::vector<ClientIndex>& clients) {
    if (group == noSlot) return;
    collect(groups_[group].clients, clients);
    for (auto number = groups_[group].firstCompound; number != noSlot; number = compounds_[number].next) {
        const auto& wanted = compounds_[number].pairs;
        if (std::includes(seen.pairs.begin(), seen.pairs.end(), wanted.begin(), wanted.end()))
            collect(compounds_[number].clients, clients);
    }
}

void Matching::match(const Event& event, std::vector<ClientIndex>& clients) {
    if (++lastMatch_ == 0) {  // after four thousand million events
        for (Client& client : clients_)
            client.lastMatch = 0;
        lastMatch_ = 1;
    }
    const Seen seen = see(event);
    for (const TypeId type : {seen.exact, seen.anySubclass}) {
        if (type == noSlot) continue;
        collectGroup(findGroup(type, noSlot), seen, clients);
        for (const PairId pair : seen.pairs)
            collectGroup(findGroup(type, pair), seen, clients);
    }
}

bool Matching::fits(PatternId pattern, const Seen& seen) const {
    const Group& group = groups_[isCompound(pattern) ? compound(pattern).group : pattern];
    if (group.type != seen.exact && group.type != seen.anySubclass) return false;
    const auto occurs = [&](PairId pair) {
        return std::binary_search(seen.pairs.begin(), seen.pairs.end(), pair);
    };
    if (!isCompound(pattern)) return group.anchor == noSlot || occurs(group.anchor);
    const auto& pairs = compound(pattern).pairs;
    return std::all_of(pairs.begin(), pairs.end(), occurs);
}

bool Matching::wants(ClientIndex client, const Event& event) const {
    if (client >= clients_.size() || clients_[client].links.empty()) return false;
    const Seen seen = see(event);
    const auto& links = clients_[client].links;
    return std::any_of(links.begin(), links.end(),
                       [&](const Link& link) { return fits(link.pattern, seen); });
}

}  // namespace crnpd::delivery
