// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/posting.h"

#include <gtest/gtest.h>

#include "server/etcd/etcd_store.h"
#include "server/etcd/leadership.h"
#include "server/etcd/post.h"
#include "tests/support/simulated_etcd.h"
#include "tests/support/store_folder.h"

namespace crnpd::etcd {
namespace {

// A standby that posts, and the active server's part played by the test whenever the standby waits.
class PostingTest : public testing::Test {
protected:
    const Keys keys{"/crnpd"};
    support::ManualClock clock;
    support::SimulatedEtcd etcd{clock};
    support::SimulatedLink link{etcd};
    std::function<void(const Row& post)> activeServer = [](const Row&) {};
    Posting posting{link, clock, keys, {.wait = [this](std::chrono::milliseconds time) { wait(time); }}};
    const std::string event = store::event(1).event;

    std::vector<Row> posts() const { return etcd.read(keys.posts(), "", 0, 10)->rows; }
    void put(const std::string& key, const std::string& value) {
        ASSERT_TRUE(etcd.carryOut({{}, {Put{key, value}}, {}}));
    }
    void wait(std::chrono::milliseconds time) {
        clock.advance(time);
        for (const auto& row : posts())
            activeServer(row);
    }
};

TEST_F(PostingTest, ReturnsTheNumberOfTheCommitThatHasTheEvent) {
    const auto lease = link.grant(std::chrono::hours{1});
    EtcdStore store(link, clock, *seize(link, keys, *lease, {"active", ""})->term, {}, nullptr);
    ASSERT_TRUE(store.load());
    activeServer = [&](const Row& row) {
        const auto post = decodePost(row.value);
        if (post->state != Post::State::posted) return;
        const EventChanges events{.published = {{5, post->event}},
                                  .answered = {{row.key.substr(keys.posts().size()), 5}}};
        EXPECT_EQ(store.commit(1, {}, events).state, store::CommitState::committed);
    };
    EXPECT_EQ(posting.post(event).value(), 5U);
    EXPECT_EQ(store.load()->events, (std::vector{EventRecord{5, event}}));
    EXPECT_TRUE(posts().empty());
}

TEST_F(PostingTest, TakesBackWhatNobodyHasTaken) {
    EXPECT_EQ(posting.post(event).error().code, ErrorCode::busy);
    EXPECT_TRUE(posts().empty());
}

TEST_F(PostingTest, SaysThatNobodyKnowsWhenItWasTakenAndNotAnswered) {
    activeServer = [this](const Row& row) { put(row.key, encodeTaken(event)); };
    EXPECT_EQ(posting.post(event).error().code, ErrorCode::superseded);
    EXPECT_EQ(posts().size(), 1U);
}

TEST_F(PostingTest, SaysBusyWhenTheActiveServerRefuses) {
    activeServer = [this](const Row& row) { put(row.key, encodeRefused()); };
    EXPECT_EQ(posting.post(event).error().code, ErrorCode::busy);
    EXPECT_TRUE(posts().empty());
}

}  // namespace
}  // namespace crnpd::etcd
