// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/mirror.h"

#include <random>

#include <gtest/gtest.h>

#include "server/etcd/row_sums.h"
#include "tests/support/etcd_rows.h"

namespace crnpd::etcd {
namespace {

class MirrorTest : public testing::Test {
protected:
    RowWriter writer{Keys("/crnpd")};
    Mirror mirror{writer.keys()};
    Revision revision = 0;

    void follow(const Transaction& transaction) {
        ++revision;
        for (const auto& operation : transaction.then) {
            if (const auto* put = std::get_if<Put>(&operation)) {
                EXPECT_TRUE(mirror.put({put->key, put->value, revision, revision, 0}));
            } else {
                mirror.erase(std::get<Delete>(operation).key);
            }
        }
    }
};

TEST_F(MirrorTest, HoldsWhatWasWrittenAndKnowsThatItIsAll) {
    EXPECT_TRUE(mirror.isComplete());
    std::mt19937 random(1);
    for (int round = 0; round < 500; ++round) {
        follow(writer.batch(someChanges(random)));
        ASSERT_TRUE(mirror.isComplete());
    }
    EXPECT_EQ(mirror.headRevision(), 500);
    EXPECT_EQ(mirror.clients(), writer.snapshot().clients.size());
    const auto copy = std::move(mirror).copy();
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->snapshot, writer.snapshot());
    EXPECT_EQ(copy->rows.sum(), writer.head().sum);
}

TEST_F(MirrorTest, NoticesAChangeThatIsMissing) {
    follow(writer.batch({store::client(1), store::client(2)}));
    auto lossy = writer.batch({store::client(1, 3), store::client(3)});
    lossy.then.erase(lossy.then.begin());
    follow(lossy);
    EXPECT_FALSE(mirror.isComplete());
}

TEST_F(MirrorTest, HoldsEventsAndTheMark) {
    RowSums sums(writer.keys());
    const EventChanges events{.published = {store::event(9), store::event(10), store::event(11)},
                              .mark = MarkRecord{8, {{1, 3}}}};
    const auto put = [&](const EventChanges& changes) {
        auto staged = sums.stage({}, changes);
        staged.operations.emplace_back(
            Put{writer.keys().head(), encodeHead({.term = 1, .sum = staged.sum, .earlier = {}, .last = 11})});
        sums.adopt(staged);
        follow({{}, staged.operations, {}});
        EXPECT_TRUE(mirror.isComplete());
    };
    put(events);
    put({.released = {9}});
    const auto snapshot = std::move(mirror).copy()->snapshot;
    EXPECT_EQ(snapshot.events, (std::vector{store::event(10), store::event(11)}));
    EXPECT_EQ(snapshot.mark, *events.mark);
    EXPECT_EQ(snapshot.last, 11U);
}

TEST_F(MirrorTest, IsIncompleteWithRowsButNoHead) {
    follow(writer.batch({store::client(1)}));
    mirror.erase(writer.keys().head());
    EXPECT_FALSE(mirror.isComplete());
    EXPECT_EQ(mirror.headRevision(), 0);
}

TEST_F(MirrorTest, CannotTellWhileARestoreIsUnderWay) {
    follow(writer.batch({store::client(1)}));
    auto head = writer.head();
    head.isFilling = true;
    EXPECT_TRUE(mirror.put({writer.keys().head(), encodeHead(head), 1, 2, 0}));
    EXPECT_TRUE(
        mirror.put({writer.keys().client(store::client(2).client), encodeRow(store::client(2)), 3, 3, 0}));
    EXPECT_TRUE(mirror.isComplete());
    EXPECT_TRUE(mirror.isFilling());
}

TEST_F(MirrorTest, GivesNoCopyInWhichTwoClientsHaveOneId) {
    for (const auto number : {1U, 2U}) {
        auto record = store::client(number);
        record.id = 1;
        const auto key = writer.keys().client(record.client);
        EXPECT_TRUE(mirror.put({key, encodeRow(record), 1, 1, 0}));
    }
    EXPECT_FALSE(std::move(mirror).copy());
}

TEST_F(MirrorTest, RefusesWhatIsNoRowOfOurs) {
    const auto key = writer.keys().client(store::client(1).client);
    EXPECT_EQ(mirror.put({key, "registered", 1, 1, 0}).error().code, ErrorCode::damaged);
    EXPECT_EQ(mirror.put({writer.keys().head(), "term", 1, 1, 0}).error().code, ErrorCode::damaged);
    EXPECT_EQ(mirror.put({writer.keys().format(), "crnpd registrations, format 99", 1, 1, 0}).error().code,
              ErrorCode::foreign);
    EXPECT_TRUE(mirror.put({"/crnpd/leader", "anything", 1, 1, 0}));
}

}  // namespace
}  // namespace crnpd::etcd
