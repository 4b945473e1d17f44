// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A server that says what the test wants.
#pragma once

#include "server/control/operations.h"

namespace crnpd::control {

struct ScriptedOperations final : Operations {
    Status now;
    Result<void> handOver;
    Result<std::vector<ClientSummary>> all = std::vector<ClientSummary>{};
    Result<ClientDetails> details = Error{ErrorCode::notFound, "no client is registered there"};
    Result<Reply> removal = Reply{StatusCode::ok, "removed"};
    AccessAnswer verdict;

    RoleAnswer role() override { return now.role; }
    Status status() override { return now; }
    Result<void> stepDown() override { return handOver; }
    Result<std::vector<ClientSummary>> clients() override { return all; }
    Result<ClientDetails> client(const CallbackAddress&) override { return details; }
    Result<Reply> remove(const CallbackAddress&) override { return removal; }
    AccessAnswer access(const IpAddress&) override { return verdict; }
};

}  // namespace crnpd::control
