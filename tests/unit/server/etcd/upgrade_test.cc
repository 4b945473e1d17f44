// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A prefix that a server of format 1 has written.
#include <gtest/gtest.h>

#include "server/etcd/etcd_store.h"
#include "server/etcd/leadership.h"
#include "tests/support/etcd_rows.h"
#include "tests/support/simulated_etcd.h"

namespace crnpd::etcd {
namespace {

TEST(EtcdUpgrade, TheFirstLeaderMakesAPrefixOfFormat1OneOfFormat2AndLosesNothing) {
    const support::ManualClock clock;
    support::SimulatedEtcd etcd(clock);
    support::SimulatedLink link(etcd);
    RowWriter writer(Keys("/crnpd"));
    auto old = writer.batch({store::client(1), store::removal(2)});
    old.then.emplace_back(Put{writer.keys().format(), "crnpd registrations, format 1"});
    ASSERT_TRUE(etcd.carryOut(old));

    const auto lease = link.grant(std::chrono::hours{1});
    const auto term = seize(link, writer.keys(), *lease, {"newer", ""})->term;
    EtcdStore store(link, clock, *term, {}, nullptr);
    EXPECT_EQ(store.load().value(), writer.snapshot());
    EXPECT_EQ(etcd.row(writer.keys().format())->value, "crnpd registrations, format 2");
}

}  // namespace
}  // namespace crnpd::etcd
