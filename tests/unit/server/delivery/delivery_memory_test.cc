// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <vector>

#include <gtest/gtest.h>

#include "server/delivery/delivery.h"
#include "tests/support/failing_memory.h"
#include "tests/unit/server/delivery/client_sockets.h"
#include "tests/unit/server/delivery/dispatcher_world.h"

namespace crnpd::delivery {
namespace {

// Time enough to die, or to get what was published.
constexpr int aWhileMs = 2'000;

class DeliveryMemoryTest : public testing::Test {
protected:
    DeliveryMemoryTest() {
        GTEST_FLAG_SET(death_test_style, "threadsafe");
        delivery_.start(std::make_shared<const Snapshot>());
    }
    Committed joined(RecordId id, std::shared_ptr<ReplyGate> gate = nullptr) {
        const Sequence at = ++last_;
        return ClientChanged{ClientChanged::How::joined,
                             {id, client_.address(), encodeRegistrations(groups({"a"})), IpAddress{}, at, at},
                             {},
                             std::move(gate)};
    }
    void publish() { delivery_.hear({EventPublished{++last_, groupEvent("a")}}); }
    // On the delivery's thread.
    void failNextAllocation() {
        std::promise<void> done;
        delivery_.ping([&done] {
            done.set_value();
            support::failAllocation(1);
        });
        done.get_future().get();
    }
    // With the first allocation failing, then with the second, until it is heard. How often it was not.
    unsigned hearAtLast(const std::function<Committed()>& news) {
        for (unsigned n = 1;; ++n) {
            std::vector<Committed> all{news()};
            try {
                support::failAllocation(n);
                delivery_.hear(std::move(all));
                support::failAllocation(0);
                return n - 1;
            } catch (const std::bad_alloc&) {
                support::failAllocation(0);
            }
        }
    }

    SystemClock clock_;
    FakeLedger ledger_;
    Sequence last_ = 0;
    ClientSocket client_;
    Delivery delivery_{clock_, {}, ledger_, [] { return true; }};
};
using DeliveryMemoryDeathTest = DeliveryMemoryTest;

TEST_F(DeliveryMemoryTest, AReloadThatWasNotHeardBarsNobody) {
    auto rows = std::make_shared<Snapshot>();
    rows->clients = {{1, client_.address(), encodeRegistrations(groups({"a"})), IpAddress{}, 1, 1}};
    rows->last = last_ = 1;
    EXPECT_GT(hearAtLast([&] { return AllReloaded{rows, 0}; }), 0U);
    publish();
    EXPECT_TRUE(client_.accept(aWhileMs));
}

TEST_F(DeliveryMemoryTest, ADepartureThatWasNotHeardBarsNobody) {
    EXPECT_GT(hearAtLast([&] { return joined(1); }), 0U);
    publish();
    EXPECT_TRUE(client_.accept(aWhileMs));
}

TEST_F(DeliveryMemoryDeathTest, WhatTheEndOfATurnCannotDoEndsTheProcess) {
    const auto gate = std::make_shared<ReplyGate>();
    delivery_.hear({joined(1, gate)});
    publish();
    EXPECT_DEATH(
        {
            failNextAllocation();
            gate->open();
            (void)client_.accept(aWhileMs);
        },
        "bad_alloc");
}

TEST_F(DeliveryMemoryDeathTest, AnAttemptThatCannotBeEndedEndsTheProcess) {
    delivery_.hear({joined(1)});
    publish();
    EXPECT_DEATH(
        {
            UniqueFd peer = client_.accept();
            failNextAllocation();
            peer.reset();
            (void)client_.accept(aWhileMs);
        },
        "bad_alloc");
}

}  // namespace
}  // namespace crnpd::delivery
