// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A server that says what the test wants.
#pragma once

#include <optional>

#include "server/control/operations.h"

namespace crnpd::control {

struct ScriptedOperations final : Operations {
    Status now;
    Result<void> handOver;
    Result<std::vector<ClientSummary>> all = std::vector<ClientSummary>{};
    Result<ClientDetails> details = Error{ErrorCode::notFound, "no client is registered there"};
    Result<Reply> removal = Reply{StatusCode::ok, "removed"};
    AccessAnswer verdict;
    Result<Dump> whole = Dump{};
    Result<void> may;
    Result<void> fill;
    std::optional<Snapshot> restored;
    Result<Sequence> number = Sequence{17};
    std::vector<Event> published;
    Events last;

    RoleAnswer role() override { return now.role; }
    Status status() override { return now; }
    Result<void> stepDown() override { return handOver; }
    Result<std::vector<ClientSummary>> clients() override { return all; }
    Result<ClientDetails> client(const CallbackAddress&) override { return details; }
    Result<Reply> remove(const CallbackAddress&) override { return removal; }
    AccessAnswer access(const IpAddress&) override { return verdict; }
    Result<Sequence> publish(Event event) override {
        if (number) published.push_back(std::move(event));
        return number;
    }
    Result<Events> events(std::size_t most) override {
        auto answer = last;
        if (answer.last.size() > most)
            answer.last.erase(answer.last.begin(), answer.last.end() - static_cast<std::ptrdiff_t>(most));
        return answer;
    }
    Result<Dump> dump() override { return whole; }
    Result<void> mayRestore() override { return may; }
    Result<void> restore(Snapshot rows, const std::function<void()>& stillWorking) override {
        stillWorking();
        if (fill) restored = std::move(rows);
        return fill;
    }
};

}  // namespace crnpd::control
