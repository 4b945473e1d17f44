// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/posted.h"

#include <atomic>
#include <condition_variable>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "common/event_codec.h"
#include "server/etcd/post.h"
#include "tests/support/log_lines.h"
#include "tests/support/shared_etcd.h"
#include "tests/support/store_folder.h"

namespace crnpd::etcd {
namespace {

using Fate = support::SharedEtcd::Fate;
using std::chrono::milliseconds;

bool refuses(const Transaction& transaction) {
    const auto* put = transaction.then.empty() ? nullptr : std::get_if<Put>(&transaction.then.front());
    return put != nullptr && put->value == encodeRefused();
}

bool takes(const Transaction& transaction) {
    const auto* put = transaction.then.empty() ? nullptr : std::get_if<Put>(&transaction.then.front());
    return put != nullptr && put->value.starts_with("taken ");
}

// What was handed over, in order.
class HandedOver {
public:
    void add(const std::string& post) {
        const std::scoped_lock lock(mutex_);
        posts_.push_back(post);
        more_.notify_all();
    }
    [[nodiscard]] std::vector<std::string> all() {
        const std::scoped_lock lock(mutex_);
        return posts_;
    }
    [[nodiscard]] bool reaches(std::size_t posts) {
        std::unique_lock lock(mutex_);
        return more_.wait_for(lock, std::chrono::seconds(10), [&] { return posts_.size() >= posts; });
    }

private:
    std::mutex mutex_;
    std::condition_variable more_;
    std::vector<std::string> posts_;
};

class PostedTest : public testing::Test {
protected:
    using Posts = std::vector<std::string>;

    void SetUp() override { term = elect(); }
    // Whoever led before does not any more.
    store::Term elect() {
        etcd.remove(keys.leader());
        return static_cast<store::Term>(etcd.put(keys.leader(), "n1"));
    }
    void lead(Posted::Options options = {std::chrono::hours(1), milliseconds(1)}) {
        posted = std::make_unique<Posted>(
            etcd, etcd, clock, keys, term,
            [this](const std::string& post, const std::shared_ptr<const crnpd::Event>&) {
                handed.add(post);
                if (onHanded) onHanded(post);
            },
            options);
    }
    void post(const std::string& id) { etcd.put(keys.post(id), encodePosted(event)); }
    std::string row(const std::string& id) { return etcd.value(keys.post(id)); }
    bool becomes(const std::string& id, const std::string& value) {
        return etcd.becomes(keys.post(id), value);
    }
    // How often the like of it was sent; the first `lost` of them meet that fate.
    void trouble(bool (*isMeant)(const Transaction&), int lost, Fate fate) {
        etcd.decideBy([=, this](const Transaction& transaction) {
            if (!isMeant(transaction)) return Fate::answered;
            return attempts++ < lost ? fate : Fate::answered;
        });
    }
    [[nodiscard]] bool areAttempted(int most) const {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (attempts < most && std::chrono::steady_clock::now() < end)
            std::this_thread::yield();
        return attempts >= most;
    }

    const Keys keys{"/crnpd"};
    const std::string event = store::event(1).event;
    const support::LogLines lines;
    support::ManualClock clock;
    support::SharedEtcd etcd{clock};
    store::Term term = 0;
    HandedOver handed;
    std::function<void(const std::string&)> onHanded;
    std::atomic<int> attempts = 0;
    std::unique_ptr<Posted> posted;
};

TEST_F(PostedTest, HandsOverEachPostOnceHoweverOftenItLooks) {
    post("a");
    lead({milliseconds(1), milliseconds(1)});
    ASSERT_TRUE(handed.reaches(1));
    post("b");
    ASSERT_TRUE(handed.reaches(2));
    EXPECT_TRUE(etcd.isReadAgain(5));
    EXPECT_EQ(handed.all(), (Posts{"a", "b"}));
}

TEST_F(PostedTest, MarksAPostAsTakenBeforeItHandsItOver) {
    std::string then;
    onHanded = [&](const std::string& id) { then = row(id); };
    lead();
    post("a");
    ASSERT_TRUE(handed.reaches(1));
    posted.reset();
    EXPECT_EQ(then, encodeTaken(event));
}

TEST_F(PostedTest, HandsOverOnceAlthoughTheAnswerToItsMarkWasLost) {
    trouble(takes, 2, Fate::answerLost);
    lead({milliseconds(1), milliseconds(1)});
    post("a");
    ASSERT_TRUE(handed.reaches(1));
    EXPECT_TRUE(etcd.isReadAgain(5));
    EXPECT_EQ(handed.all(), Posts{"a"});
}

TEST_F(PostedTest, HandsOverAgainWhatCouldNotBeTakenOn) {
    onHanded = [this](const std::string&) {
        if (attempts++ == 0) throw std::runtime_error("no memory");
    };
    lead();
    post("a");
    EXPECT_TRUE(handed.reaches(2));
}

TEST_F(PostedTest, TellsThePosterOfARefusal) {
    onHanded = [this](const std::string& id) { posted->refuse(id); };
    lead();
    post("a");
    EXPECT_TRUE(becomes("a", encodeRefused()));
}

TEST_F(PostedTest, RepeatsARefusalThatWasLostAndKeepsNobodyWaitingMeanwhile) {
    trouble(refuses, 3, Fate::lost);
    lead();
    post("a");
    ASSERT_TRUE(handed.reaches(1));
    posted->refuse("a");
    EXPECT_TRUE(becomes("a", encodeRefused()));
    EXPECT_GE(attempts, 4);
}

TEST_F(PostedTest, DoesNotPutARefusalAgainThatItsPosterHasReadAndClearedAway) {
    etcd.setDeaf(true);  // else the watch tells that it has arrived
    post("a");
    trouble(refuses, 1, Fate::answerLost);
    lead({std::chrono::hours(1), milliseconds(200)});
    ASSERT_TRUE(handed.reaches(1));
    posted->refuse("a");
    ASSERT_TRUE(becomes("a", encodeRefused()));
    etcd.remove(keys.post("a"));
    ASSERT_TRUE(areAttempted(2));
    posted.reset();
    EXPECT_EQ(row("a"), "");
}

TEST_F(PostedTest, LeavesToTheNextLeaderWhatItCouldNotRefuseInItsTerm) {
    lead();
    post("a");
    ASSERT_TRUE(handed.reaches(1));
    elect();
    trouble(refuses, 0, Fate::lost);
    posted->refuse("a");
    ASSERT_TRUE(areAttempted(1));
    posted.reset();
    EXPECT_EQ(row("a"), encodeTaken(event));
}

TEST_F(PostedTest, HandsOverWhatAnEarlierLeaderHadTakenAndNotSettled) {
    etcd.put(keys.post("a"), encodeTaken(event));
    etcd.put(keys.post("b"), encodeAnswer(7));
    etcd.put(keys.post("c"), encodeRefused());
    post("d");
    lead();
    ASSERT_TRUE(handed.reaches(2));
    EXPECT_EQ(handed.all(), (Posts{"a", "d"}));
}

TEST_F(PostedTest, HandsOverNothingOnceAnotherServerLeads) {
    elect();
    post("a");
    trouble(takes, 0, Fate::lost);
    lead();
    ASSERT_TRUE(areAttempted(1));
    posted.reset();
    EXPECT_EQ(row("a"), encodePosted(event));
    EXPECT_EQ(handed.all(), Posts{});
}

TEST_F(PostedTest, DeletesWhatNobodyCanRead) {
    etcd.put(keys.post("a"), encodePosted("nonsense"));
    lead();
    EXPECT_TRUE(becomes("a", ""));
    etcd.put(keys.post("b"), "nonsense");
    EXPECT_TRUE(becomes("b", ""));
    lines.waitFor("CRNPD-DLV-041", 2);
}

// An id that is not used again is the only one that takes memory for ever.
TEST_F(PostedTest, ForgetsWhatWasSettledWhileItDidNotWatch) {
    lead({milliseconds(1), milliseconds(1)});
    post("a");
    ASSERT_TRUE(handed.reaches(1));
    etcd.setDeaf(true);
    etcd.remove(keys.post("a"));
    ASSERT_TRUE(etcd.isReadAgain(3));
    post("a");
    EXPECT_TRUE(handed.reaches(2));
}

TEST_F(PostedTest, ClearsAwayWhatWasSettledSomeTimeAgoHoweverOftenItLooks) {
    etcd.put(keys.post("a"), encodeAnswer(7));
    lead({milliseconds(5), milliseconds(1)});
    ASSERT_TRUE(etcd.isReadAgain(5));
    EXPECT_EQ(row("a"), encodeAnswer(7));
    clock.advance(milliseconds(5));
    EXPECT_TRUE(becomes("a", ""));
}

TEST_F(PostedTest, LooksAtNothingElseInARoundInWhichEtcdDoesNotAnswer) {
    for (int id = 0; id < 50; ++id)
        post(fmt::format("{:02}", id));
    trouble(takes, 1000, Fate::lost);
    lead();
    ASSERT_TRUE(etcd.isReadAgain(5));
    posted.reset();
    EXPECT_LE(static_cast<std::size_t>(attempts), etcd.reads());
}

TEST_F(PostedTest, StopsAfterTheAttemptUnderWay) {
    constexpr int posts = 300;
    for (int id = 0; id < posts; ++id)
        post(fmt::format("{:03}", id));
    std::atomic<bool> isStopping = false;
    etcd.decideBy([&](const Transaction&) {
        ++attempts;
        isStopping.wait(false);
        std::this_thread::sleep_for(milliseconds(5));  // as long as etcd takes
        return Fate::answered;
    });
    lead();
    ASSERT_TRUE(areAttempted(1));
    isStopping = true;
    isStopping.notify_all();
    posted.reset();
    EXPECT_LT(attempts, posts / 2);
}

}  // namespace
}  // namespace crnpd::etcd
