// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/failover/role.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

namespace crnpd::failover {
namespace {

constexpr std::array<std::pair<Role, Role>, 9> moves{{
    {Role::starting, Role::standby},
    {Role::standby, Role::takingOver},
    {Role::standby, Role::stopped},
    {Role::takingOver, Role::active},
    {Role::takingOver, Role::standby},
    {Role::takingOver, Role::stopped},
    {Role::active, Role::steppingDown},
    {Role::steppingDown, Role::standby},
    {Role::steppingDown, Role::stopped},
}};

}  // namespace

std::string_view name(Role role) noexcept {
    switch (role) {
        case Role::starting:
            return "starting";
        case Role::standby:
            return "standby";
        case Role::takingOver:
            return "taking over";
        case Role::active:
            return "active";
        case Role::steppingDown:
            return "stepping down";
        case Role::stopped:
            return "stopped";
    }
    return "?";
}

bool mayMove(Role from, Role to) noexcept {
    return std::ranges::find(moves, std::pair{from, to}) != moves.end();
}

void RoleState::move(Role to, std::string reason) {
    Role from{};
    Now now;
    {
        const std::scoped_lock lock(mutex_);
        assert(mayMove(now_.role, to));
        from = std::exchange(now_.role, to);
        now_.reason = std::move(reason);
        now = now_;
    }
    if (onMove_) onMove_(from, now);
}

RoleState::Now RoleState::now() const {
    const std::scoped_lock lock(mutex_);
    return now_;
}

}  // namespace crnpd::failover
