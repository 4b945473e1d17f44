// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// EtcdStore on a real etcd: the contract of every store, and the copy of a standby.
#include <random>

#include <gtest/gtest.h>

#include "server/etcd/etcd_store.h"
#include "server/etcd/follower.h"
#include "server/etcd/leadership.h"
#include "tests/support/etcd_rows.h"
#include "tests/support/etcd_server.h"
#include "tests/support/store_contract.h"

namespace crnpd::etcd {
namespace {

// Each store that is opened belongs to a new leader.
class EtcdBacking final : public store::Backing {
public:
    std::unique_ptr<store::RegistrationStore> open() override { return open(nullptr); }
    std::unique_ptr<store::RegistrationStore> open(WarmCopy* copy) {
        const auto lease = client_->grant(std::chrono::hours{1});
        EXPECT_TRUE(lease) << lease.error().text;
        const auto standing = seize(*client_, Keys("/crnpd"), *lease, {"node", ""});
        EXPECT_TRUE(standing) << standing.error().text;
        return std::make_unique<EtcdStore>(*client_, clock_, *standing->term, EtcdStore::Options{}, copy);
    }
    [[nodiscard]] GrpcClient& client() { return *client_; }

private:
    SystemClock clock_;
    EtcdServer server_;
    std::unique_ptr<GrpcClient> client_ = server_.connect();
};

std::vector<store::Kind> kinds() {
    if (!EtcdServer::isInstalled()) return {};
    return {{"etcd", [] { return std::make_unique<EtcdBacking>(); }}};
}

TEST(EtcdStoreOnEtcd, GoesOnFromTheCopyOfAStandby) {
    if (!EtcdServer::isInstalled()) GTEST_SKIP() << EtcdServer::whyNot;
    EtcdBacking backing;
    auto before = backing.open();
    auto expected = *before->load();
    Follower follower(backing.client(), backing.client(), {});
    follower.start();

    std::mt19937 random(3);
    for (int batch = 0; batch < 50; ++batch) {
        const auto changes = someChanges(random);
        ASSERT_EQ(before->commit(expected.head + 1, changes).state, store::CommitState::committed);
        store::apply(expected, expected.head + 1, changes);
    }
    auto after = backing.open(&follower);
    const auto loaded = after->load();
    ASSERT_TRUE(loaded) << loaded.error().text;
    EXPECT_EQ(*loaded, expected);
    // It was given away, so it was used.
    EXPECT_FALSE(follower.status().isComplete);
    EXPECT_EQ(before->commit(expected.head + 1, {}).reason.code, ErrorCode::superseded);
    EXPECT_EQ(after->commit(expected.head + 1, {}).state, store::CommitState::committed);
}

}  // namespace
}  // namespace crnpd::etcd

namespace crnpd::store {

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreContract);
INSTANTIATE_TEST_SUITE_P(OnEtcd, StoreContract, testing::ValuesIn(etcd::kinds()), kindName);
INSTANTIATE_TEST_SUITE_P(OnEtcd, SharedStoreContract, testing::ValuesIn(etcd::kinds()), kindName);

}  // namespace crnpd::store
