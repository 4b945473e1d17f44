// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/relations.h"

#include "loading.h"

namespace crnpd::config {
namespace {

using Lines = std::vector<std::string>;

TEST(RelationsTest, TheSameAddressTwiceIsToldOnTheSecondLine) {
    EXPECT_EQ(problemIn("listen = [\n'127.0.0.1:9444',\n'127.0.0.1:9444']"),
              R"(crnpd.toml:3: listen: "127.0.0.1:9444" stands in the list twice)");
    EXPECT_EQ(problemIn("listen = ['127.0.0.1:9444', '[::ffff:127.0.0.1]:9444']"),
              R"(crnpd.toml:1: listen: "127.0.0.1:9444" stands in the list twice)");
}

TEST(RelationsTest, AnAddressThatAWildcardCoversIsTold) {
    EXPECT_EQ(problemIn("listen = [\n'127.0.0.1:9444',\n'0.0.0.0:9444']"),
              R"(crnpd.toml:2: listen: "127.0.0.1:9444" is covered by "0.0.0.0:9444" already)");
    EXPECT_EQ(problemIn("listen = ['[::]:9444', '[::1]:9444']"),
              R"(crnpd.toml:1: listen: "[::1]:9444" is covered by "[::]:9444" already)");
}

TEST(RelationsTest, AddressesThatDifferInPortOrFamilyDoNotCollide) {
    EXPECT_EQ(problemsIn("listen = ['0.0.0.0:9444', '[::]:9444', '127.0.0.1:9445']"), Lines{});
}

TEST(RelationsTest, PortZeroMayBeAskedForTwice) {
    EXPECT_EQ(problemsIn("listen = ['127.0.0.1:0', '127.0.0.1:0']"), Lines{});
}

TEST(RelationsTest, ALinkLocalAddressNeedsItsInterface) {
    EXPECT_EQ(
        problemIn("listen = ['[fe80::1]:9444']"),
        R"(crnpd.toml:1: listen: "[fe80::1]:9444" is link-local and needs its interface: "[fe80::1%eth0]:9444")");
    EXPECT_EQ(problemsIn("listen = ['[fe80::1%lo]:9444']"), Lines{});
}

TEST(RelationsTest, OneAddressCannotHaveMoreConnectionsThanAll) {
    EXPECT_EQ(problemIn("[limits]\nconnections = 500\nconnections_per_address = 501"),
              "crnpd.toml:3: limits.connections_per_address: 501 is more than limits.connections; allowed: "
              "at most 500");
}

TEST(RelationsTest, LeftOutConnectionsPerAddressFollowsASmallerConnections) {
    EXPECT_EQ(settingsOf("limits.connections = 500").limits.connectionsPerAddress, 500U);
    EXPECT_EQ(settingsOf("limits.connections = 5000").limits.connectionsPerAddress, 1000U);
}

TEST(RelationsTest, ARemovalIsRememberedAsLongAsAMessageMayTake) {
    EXPECT_EQ(
        problemIn("[limits]\nremoval_memory = '29s'"),
        "crnpd.toml:2: limits.removal_memory: a removal is remembered for 29s, but a message may take 30s; "
        "allowed: limits.removal_memory at least as long as limits.message_time");
    EXPECT_EQ(problemsIn("limits.removal_memory = '30s'"), Lines{});
}

TEST(RelationsTest, TwoPurposesDoNotShareAFile) {
    EXPECT_EQ(
        problemIn("[store]\npath = 'a/x'\n[log]\ntarget = './a//x'\n[control]\nsocket = 'c'"),
        "crnpd.toml:4: log.target: \"./a//x\" is the file of store.path too; allowed: a file of its own");
    EXPECT_EQ(
        problemIn("[store]\npath = 'x'\n[control]\nsocket = 'x'"),
        "crnpd.toml:4: control.socket: \"x\" is the file of store.path too; allowed: a file of its own");
}

TEST(RelationsTest, WhatDependsOnARefusedSettingIsNotJudged) {
    EXPECT_EQ(problemIn("[limits]\nconnections = 0\nconnections_per_address = 20000"),
              "crnpd.toml:2: limits.connections: 0 is out of range; allowed: a number from 1 to 1000000");
}

}  // namespace
}  // namespace crnpd::config
