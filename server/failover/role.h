// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// This node's role, as a table of states and allowed moves. Exactly one server on a store is active
// (section 1 of docs/protocol.md).
//
//     starting -> standby -> takingOver -> active -> steppingDown -> standby
//                    |            |                       |
//                    v            v                       v
//                 stopped   standby, stopped           stopped
//
// Threads    Any: a RoleState is read by the control socket while failover moves it.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace crnpd::failover {

enum class Role {
    starting,
    standby,       // somebody else may be active; campaigning
    takingOver,    // elected; reading the registrations
    active,        // serving clients
    steppingDown,  // answering what was received, taking nothing new
    stopped,
};

[[nodiscard]] std::string_view name(Role role) noexcept;
[[nodiscard]] bool mayMove(Role from, Role to) noexcept;

class RoleState {
public:
    struct Now {
        Role role = Role::starting;
        std::string reason;  // why it came to this
    };
    using OnMove = std::function<void(Role from, const Now& now)>;

    // `onMove` is called after each move, on the thread that moved.
    explicit RoleState(OnMove onMove) : onMove_(std::move(onMove)) {}

    // The move must be allowed: another one is a mistake of ours.
    void move(Role to, std::string reason);

    [[nodiscard]] Now now() const;

private:
    OnMove onMove_;
    mutable std::mutex mutex_;
    Now now_;
};

}  // namespace crnpd::failover
