// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/failover/role.h"

#include <vector>

#include <gtest/gtest.h>

namespace crnpd::failover {
namespace {

TEST(RoleTest, OnlyTheMovesOfTheTableAreAllowed) {
    EXPECT_TRUE(mayMove(Role::starting, Role::standby));
    EXPECT_TRUE(mayMove(Role::active, Role::steppingDown));
    EXPECT_FALSE(mayMove(Role::standby, Role::active))
        << "nobody serves before it has read the registrations";
    EXPECT_FALSE(mayMove(Role::active, Role::standby))
        << "nobody stands by before it has answered what it took";
    EXPECT_FALSE(mayMove(Role::stopped, Role::standby));
}

TEST(RoleTest, AMoveIsToldWithItsReason) {
    std::vector<std::string> told;
    RoleState state([&](Role from, const RoleState::Now& now) {
        told.push_back(std::string(name(from)) + " -> " + std::string(name(now.role)) + ": " + now.reason);
    });
    state.move(Role::standby, "started");
    EXPECT_EQ(told, std::vector<std::string>{"starting -> standby: started"});
    EXPECT_EQ(state.now().role, Role::standby);
    EXPECT_EQ(state.now().reason, "started");
}

}  // namespace
}  // namespace crnpd::failover
