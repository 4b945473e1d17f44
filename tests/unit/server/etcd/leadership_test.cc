// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/leadership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/etcd_server.h"

namespace crnpd::etcd {
namespace {

using std::chrono::seconds;

class LeadershipTest : public testing::Test {
protected:
    void SetUp() override {
        if (!EtcdServer::isInstalled()) GTEST_SKIP() << EtcdServer::whyNot;
        server = std::make_unique<EtcdServer>();
        client = server->connect();
        ours = *client->grant(seconds(60));
        theirs = *client->grant(seconds(60));
    }

    const Keys keys{"/crnpd"};
    const Leader us{"process 1 on node1", "192.0.2.1:9444"};
    const Leader them{"process 2 on node2", ""};
    std::unique_ptr<EtcdServer> server;
    std::unique_ptr<GrpcClient> client;
    LeaseId ours = 0;
    LeaseId theirs = 0;
};

TEST_F(LeadershipTest, IsTheFirstOnesWhoStands) {
    const auto won = standFor(*client, keys, ours, us);
    ASSERT_TRUE(won) << won.error().text;
    ASSERT_TRUE(won->term);
    const auto lost = standFor(*client, keys, theirs, them);
    ASSERT_TRUE(lost) << lost.error().text;
    EXPECT_FALSE(lost->term);
    EXPECT_EQ(lost->leader, us);
    EXPECT_EQ(lost->lease, ours);
    EXPECT_GE(lost->revision, static_cast<Revision>(*won->term));
}

TEST_F(LeadershipTest, StaysWithWhoeverStandsAgainUnderTheSameLease) {
    const auto won = standFor(*client, keys, ours, us);
    EXPECT_EQ(standFor(*client, keys, ours, us)->term, won->term);
    EXPECT_EQ(seize(*client, keys, ours, us)->term, won->term);
}

TEST_F(LeadershipTest, EndsWithTheLease) {
    const auto before = standFor(*client, keys, ours, us);
    ASSERT_TRUE(client->revoke(ours));
    EXPECT_GT(*standFor(*client, keys, theirs, them)->term, *before->term);
    EXPECT_EQ(seize(*client, keys, ours, us).error().code, ErrorCode::notFound);
}

TEST_F(LeadershipTest, CanBeSeizedWithALaterTerm) {
    const auto before = standFor(*client, keys, ours, us);
    const auto seized = seize(*client, keys, theirs, them);
    ASSERT_TRUE(seized) << seized.error().text;
    EXPECT_GT(*seized->term, *before->term);
    EXPECT_EQ(standFor(*client, keys, ours, us)->leader, them);
}

TEST_F(LeadershipTest, IsGivenUpByTheTermThatHasItOnly) {
    const auto before = standFor(*client, keys, ours, us);
    const auto now = seize(*client, keys, theirs, them);
    ASSERT_TRUE(resign(*client, keys, *before->term));
    EXPECT_EQ(standFor(*client, keys, ours, us)->leader, them);
    ASSERT_TRUE(resign(*client, keys, *now->term));
    EXPECT_GT(*standFor(*client, keys, ours, us)->term, *now->term);
}

}  // namespace
}  // namespace crnpd::etcd
