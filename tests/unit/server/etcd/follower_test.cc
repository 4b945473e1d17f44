// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/follower.h"

#include <atomic>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/etcd_rows.h"
#include "tests/support/etcd_server.h"

namespace crnpd::etcd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

// Loses events when it is told to, as etcd 3.4 may around a compaction.
class LossyWatches : public Watches {
public:
    explicit LossyWatches(Watches& real) : real_(real) {}
    Result<void> follow(const std::string& prefix, Revision from, const OnEvents& onEvents,
                        std::stop_token stop) noexcept override {
        return real_.follow(
            prefix, from,
            [&](const std::vector<Event>& events) {
                if (!isDeaf) return onEvents(events);
                swallowed += events.size();
            },
            std::move(stop));
    }

    std::atomic<bool> isDeaf = false;
    std::atomic<std::size_t> swallowed = 0;

private:
    Watches& real_;
};

class FollowerTest : public testing::Test {
protected:
    void SetUp() override {
        if (!EtcdServer::isInstalled()) GTEST_SKIP() << EtcdServer::whyNot;
        server = std::make_unique<EtcdServer>();
        client = server->connect();
        auto reach = server->client();
        reach.attemptTime = milliseconds(500);
        own = std::move(*GrpcClient::create(reach));
        watches = std::make_unique<LossyWatches>(*own);
        begin(std::chrono::hours(1));
    }
    // A follower that compares in full that often; pages are small so that there are several.
    void begin(milliseconds verifyTime) {
        follower = std::make_unique<Follower>(
            *own, *watches, Follower::Options{writer.keys(), verifyTime, milliseconds(20), {7, 7}});
    }
    Revision write(const std::vector<Change>& changes) {
        const auto done = client->transact(writer.batch(changes));
        EXPECT_TRUE(done) << done.error().text;
        return done ? done->revision : 0;
    }
    Revision writeSome(int batches) {
        Revision last = 0;
        for (int batch = 0; batch < batches; ++batch)
            last = write(someChanges(random));
        return last;
    }
    bool hasArrivedAt(Revision revision) {
        return eventually([&] {
            const auto status = follower->status();
            return status.isComplete && status.revision >= revision;
        });
    }

    std::mt19937 random{7};
    RowWriter writer{Keys("/crnpd")};
    std::unique_ptr<EtcdServer> server;
    std::unique_ptr<GrpcClient> client;
    std::unique_ptr<GrpcClient> own;
    std::unique_ptr<LossyWatches> watches;
    std::unique_ptr<Follower> follower;
};

TEST_F(FollowerTest, HasWhatWasThereBeforeAndWhatCameAfter) {
    const auto before = writeSome(100);
    follower->start();
    EXPECT_TRUE(hasArrivedAt(before));
    const auto last = writeSome(100);
    const auto copy = follower->takeAt(last, seconds(10));
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->snapshot, writer.snapshot());
}

TEST_F(FollowerTest, TellsHowManyClientsItKnowsAndUpToWhichRevision) {
    follower->start();
    const auto revision = write({store::client(1), store::client(2), store::removal(3)});
    EXPECT_TRUE(hasArrivedAt(revision));
    EXPECT_EQ(follower->status().clients, 2U);
    EXPECT_EQ(follower->status().trouble, "");
}

TEST_F(FollowerTest, GivesNothingAwayButTheRevisionThatIsWanted) {
    follower->start();
    const auto first = write({store::client(1)});
    const auto second = write({store::client(2)});
    EXPECT_TRUE(hasArrivedAt(second));
    EXPECT_FALSE(follower->takeAt(first, milliseconds(1)));
    EXPECT_FALSE(follower->takeAt(second + 1, milliseconds(50)));
    EXPECT_TRUE(follower->takeAt(second, milliseconds(1)));
}

TEST_F(FollowerTest, GivesItsCopyAwayOnceAndBeginsAnewWhenItIsStarted) {
    follower->start();
    const auto revision = write({store::client(1)});
    ASSERT_TRUE(follower->takeAt(revision, seconds(10)));
    EXPECT_FALSE(follower->takeAt(revision, milliseconds(1)));
    EXPECT_FALSE(follower->status().isComplete);
    follower->start();
    const auto next = write({store::client(2)});
    const auto copy = follower->takeAt(next, seconds(10));
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->snapshot, writer.snapshot());
}

TEST_F(FollowerTest, GoesOnAfterEtcdWasAway) {
    follower->start();
    EXPECT_TRUE(hasArrivedAt(writeSome(10)));
    server->restart();
    EXPECT_TRUE(eventually([&] { return client->transact({}).has_value(); }));
    const auto last = writeSome(10);
    const auto copy = follower->takeAt(last, seconds(20));
    ASSERT_TRUE(copy) << follower->status().trouble;
    EXPECT_EQ(copy->snapshot, writer.snapshot());
}

TEST_F(FollowerTest, ReadsEverythingAnewAfterACompactionPastItsWatch) {
    follower->start();
    EXPECT_TRUE(hasArrivedAt(writeSome(10)));
    watches->isDeaf = true;
    const auto last = writeSome(10);
    EXPECT_TRUE(eventually([&] { return watches->swallowed > 0; }));
    server->etcdctl({"compaction", std::to_string(last)});
    watches->isDeaf = false;
    server->restart();  // ends the watch
    const auto copy = follower->takeAt(last, seconds(20));
    ASSERT_TRUE(copy) << follower->status().trouble;
    EXPECT_EQ(copy->snapshot, writer.snapshot());
}

TEST_F(FollowerTest, ReadsEverythingAnewWhenItsSumIsNotTheHeads) {
    follower->start();
    EXPECT_TRUE(hasArrivedAt(writeSome(10)));
    watches->isDeaf = true;
    writeSome(10);
    EXPECT_TRUE(eventually([&] { return watches->swallowed > 0; }));
    watches->isDeaf = false;
    const auto next = write({store::client(1)});
    const auto copy = follower->takeAt(next, seconds(20));
    ASSERT_TRUE(copy) << follower->status().trouble;
    EXPECT_EQ(copy->snapshot, writer.snapshot());
}

TEST_F(FollowerTest, ComparesInFullNowAndThen) {
    begin(milliseconds(100));
    follower->start();
    EXPECT_TRUE(hasArrivedAt(writeSome(50)));
    EXPECT_TRUE(eventually([&] { return follower->status().verified >= 2; }));
    // Also while changes come all the time.
    const auto before = follower->status().verified;
    EXPECT_TRUE(eventually([&] {
        writeSome(1);
        return follower->status().verified >= before + 3;
    }));
    const auto copy = follower->takeAt(writeSome(1), seconds(10));
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->snapshot, writer.snapshot());
}

TEST_F(FollowerTest, NoticesByComparingThatChangesHaveNotArrived) {
    begin(milliseconds(200));
    follower->start();
    EXPECT_TRUE(hasArrivedAt(writeSome(10)));
    watches->isDeaf = true;
    const auto last = writeSome(1);
    EXPECT_TRUE(hasArrivedAt(last));
    EXPECT_EQ(follower->takeAt(last, seconds(10))->snapshot, writer.snapshot());
}

TEST_F(FollowerTest, SaysWhyItHasNoCopy) {
    write({store::client(1)});
    ASSERT_TRUE(client->transact({{}, {Put{writer.keys().client(store::client(9).client), "nonsense"}}, {}}));
    follower->start();
    EXPECT_TRUE(eventually([&] { return !follower->status().trouble.empty(); }));
    EXPECT_THAT(follower->status().trouble, HasSubstr("is damaged"));
    EXPECT_FALSE(follower->status().isComplete);
    follower->stop();
    EXPECT_EQ(follower->status().trouble, "");
}

}  // namespace
}  // namespace crnpd::etcd
