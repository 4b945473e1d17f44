// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/wire.h"

#include <gtest/gtest.h>

namespace crnpd::etcd::wire {
namespace {

const Transaction asked{{}, {Put{"/head", "1"}, Get{"/head"}}, {Get{"/leader"}}};

etcdserverpb::TxnResponse answer() {
    etcdserverpb::TxnResponse response;
    response.set_succeeded(true);
    (void)response.add_responses()->mutable_response_put();
    (void)response.add_responses()->mutable_response_range();
    return response;
}

TEST(Wire, AnAnswerHasAPartForEachOperation) {
    const auto taken = fromWire(answer(), asked);
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->got, std::vector<std::optional<Row>>{std::nullopt});
}

TEST(Wire, AnAnswerToSomethingElseIsNone) {
    auto shorter = answer();
    shorter.mutable_responses()->RemoveLast();
    EXPECT_EQ(fromWire(std::move(shorter), asked).error().code, ErrorCode::busy);

    auto other = answer();
    (void)other.mutable_responses(1)->mutable_response_put();
    EXPECT_EQ(fromWire(std::move(other), asked).error().code, ErrorCode::busy);

    auto failed = answer();
    failed.set_succeeded(false);
    EXPECT_EQ(fromWire(std::move(failed), asked).error().code, ErrorCode::busy);
}

}  // namespace
}  // namespace crnpd::etcd::wire
