// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/support/history.h"

#include <algorithm>
#include <bit>
#include <utility>

#include <fmt/format.h>

namespace crnpd::support {
namespace {

using State = History::State;
using Kind = State::Kind;

struct Decided {
    StatusCode code;
    State next;
};

// Section 4 of docs/protocol.md.
Decided decide(const State& state, const ClientMessage& message) {
    const bool isRegistered = state.kind == Kind::registered;
    switch (message.type) {
        case RegistrationType::addClient:
            return {StatusCode::ok, {Kind::registered, message.events}};
        case RegistrationType::addEvents:
            if (!isRegistered) break;
            return {StatusCode::ok, {Kind::registered, state.events | message.events}};
        case RegistrationType::removeEvents:
            if (!isRegistered) break;
            return {StatusCode::ok, {Kind::registered, state.events & ~message.events}};
        case RegistrationType::removeClient:
            if (state.kind == Kind::unknown) break;
            return {StatusCode::ok, {Kind::removed, 0}};
    }
    return {StatusCode::fail, state};
}

std::string text(const State& state) {
    switch (state.kind) {
        case Kind::unknown:
            return "unknown";
        case Kind::removed:
            return "removed";
        case Kind::registered:
            return fmt::format("registered:{:b}", state.events);
    }
    return "?";
}

}  // namespace

void History::unanswered(const ClientMessage& message) {
    auto next = possible_;
    for (const auto& state : possible_)
        next.insert(decide(state, message).next);
    take({message, std::nullopt, 0, std::nullopt}, std::move(next));
}

void History::answered(const ClientMessage& message, StatusCode code, std::size_t registrations) {
    if (code != StatusCode::ok && code != StatusCode::fail)
        return take({message, code, registrations, std::nullopt}, possible_);
    std::set<State> next;
    for (const auto& state : possible_) {
        const auto decided = decide(state, message);
        const auto count = static_cast<std::size_t>(std::popcount(decided.next.events));
        if (decided.code == code && (code == StatusCode::fail || count == registrations))
            next.insert(decided.next);
    }
    take({message, code, registrations, std::nullopt}, std::move(next));
}

void History::seen(std::optional<Events> registered) {
    std::set<State> next;
    for (const auto& state : possible_) {
        const bool isRegistered = state.kind == Kind::registered;
        if (isRegistered == registered.has_value() && state.events == registered.value_or(0))
            next.insert(state);
    }
    take({std::nullopt, std::nullopt, 0, registered}, std::move(next));
}

void History::take(const Entry& entry, std::set<State> next) {
    if (!violation_.empty()) return;
    entries_.push_back(entry);
    if (removalsFade_ && next.contains({Kind::removed, 0})) next.insert(State{});
    if (next.empty()) {
        violation_ = fmt::format("entry {} is impossible; possible before it:", entries_.size());
        for (const auto& state : possible_)
            violation_ += ' ' + support::text(state);
        const auto first = entries_.size() - std::min<std::size_t>(entries_.size(), 12);
        for (auto i = first; i < entries_.size(); ++i)
            violation_ += fmt::format("\n    {} {}", i + 1, text(entries_[i]));
    }
    possible_ = std::move(next);
}

std::string History::text(const Entry& entry) {
    if (!entry.message) return entry.seen ? fmt::format("seen {:b}", *entry.seen) : "seen not registered";
    const auto sent = fmt::format("{} {:b}", name(entry.message->type), entry.message->events);
    if (!entry.code) return sent + ": no answer";
    return fmt::format("{}: {}, {} registrations", sent, name(*entry.code), entry.registrations);
}

}  // namespace crnpd::support
