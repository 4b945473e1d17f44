// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/failover/failover.h"

#include <condition_variable>
#include <deque>
#include <future>
#include <vector>

#include <gtest/gtest.h>

#include "server/store/memory_store.h"
#include "tests/support/failing_store.h"
#include "tests/support/manual_clock.h"

namespace crnpd::failover {
namespace {

// Elects when the test says so.
class ScriptedElection final : public store::Election {
public:
    void elect(Result<store::Term> answer) {
        {
            const std::scoped_lock lock(mutex_);
            answers_.push_back(std::move(answer));
        }
        changed_.notify_all();
    }
    void waitForResignations(unsigned number) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return resignations_ >= number; });
    }

    Result<store::Term> campaign(std::stop_token stop) noexcept override {
        std::unique_lock lock(mutex_);
        if (!changed_.wait(lock, stop, [&] { return !answers_.empty(); }))
            return Error{ErrorCode::cancelled, "told to stop"};
        auto answer = answers_.front();
        answers_.pop_front();
        return answer;
    }
    void resign() noexcept override {
        {
            const std::scoped_lock lock(mutex_);
            ++resignations_;
        }
        changed_.notify_all();
    }
    std::string leader() const override {
        const std::scoped_lock lock(mutex_);
        return leader_;
    }
    void onLoss(const std::function<void(const std::string&)>& lost) override { lost_ = lost; }

    void lead(std::string other) {
        const std::scoped_lock lock(mutex_);
        leader_ = std::move(other);
    }
    void lose(const std::string& reason) { lost_(reason); }

private:
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::string leader_ = "somebody";
    std::function<void(const std::string&)> lost_;
    std::deque<Result<store::Term>> answers_;
    unsigned resignations_ = 0;
};

class FailoverTest : public testing::Test, private Duties {
protected:
    Result<void> takeOver(store::Term, store::RegistrationStore&, Snapshot) override {
        tell("took over");
        return takeOverAnswer;
    }
    void stepDown(Manner manner) override {
        tell(manner == Manner::inOrder ? "stepped down" : "dropped everything");
    }
    void onEnd(const std::optional<Error>& fault) override {
        tell("ended");
        ended.set_value(fault);
    }

    void tell(const std::string& what) {
        {
            const std::scoped_lock lock(mutex);
            told.push_back(what);
        }
        changed.notify_all();
    }
    void waitFor(std::size_t lines) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return told.size() >= lines; });
    }
    void waitWhileTimePasses(std::size_t lines) {
        std::unique_lock lock(mutex);
        while (!changed.wait_for(lock, std::chrono::milliseconds{5}, [&] { return told.size() >= lines; }))
            clock.advance(std::chrono::seconds{1});
    }
    std::optional<Error> end() { return ended.get_future().get(); }

    // A store that dies with the leadership, over a memory that does not.
    std::unique_ptr<store::RegistrationStore> openStore() {
        auto opened = std::make_unique<store::FailingStore>(memory);
        if (loadError) opened->failLoad(*loadError);
        return opened;
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> told;
    std::promise<std::optional<Error>> ended;
    Result<void> takeOverAnswer;
    std::optional<Error> loadError;
    store::MemoryStore memory;
    support::ManualClock clock;
    ScriptedElection election;
    Failover failover{election, [this](store::Term) { return openStore(); }, "memory", *this, clock};
};

using Lines = std::vector<std::string>;

TEST_F(FailoverTest, ServesWhenElectedAndStepsDownWhenStopped) {
    failover.start();
    election.elect(store::Term{1});
    waitFor(1);
    failover.stop("SIGTERM");
    EXPECT_EQ(end(), std::nullopt);
    EXPECT_EQ(told, (Lines{"took over", "stepped down", "ended"}));
    EXPECT_EQ(failover.role().role, Role::stopped);
}

TEST_F(FailoverTest, AStandbyThatIsStoppedNeverServes) {
    failover.start();
    failover.stop("SIGTERM");
    EXPECT_EQ(end(), std::nullopt);
    EXPECT_EQ(told, Lines{"ended"});
}

TEST_F(FailoverTest, WhoLosesTheLeadershipStandsByAndMayBeElectedAgain) {
    failover.start();
    election.elect(store::Term{1});
    waitFor(1);
    election.lose("a newer term");
    election.waitForResignations(1);
    election.elect(store::Term{2});
    waitFor(3);
    EXPECT_EQ(failover.term(), 2U);
    EXPECT_EQ(told, (Lines{"took over", "dropped everything", "took over"}));
}

TEST_F(FailoverTest, AHandOverIsInGoodOrderAndLetsOthersBeElectedFirst) {
    election.lead("");
    failover.start();
    election.elect(store::Term{1});
    waitFor(1);
    while (!failover.handOver("told to")) {  // until it is active
    }
    election.waitForResignations(1);
    election.elect(store::Term{2});
    EXPECT_EQ(told, (Lines{"took over", "stepped down"}));
    waitWhileTimePasses(3);  // nobody else wants to lead
    EXPECT_EQ(failover.term(), 2U);
}

TEST_F(FailoverTest, AStandbyHasNothingToHandOver) {
    failover.start();
    const auto answer = failover.handOver("told to");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::busy);
}

TEST_F(FailoverTest, AStoreThatCannotBeReachedIsTriedAgain) {
    loadError = Error{ErrorCode::busy, "no member of etcd answers"};
    failover.start();
    election.elect(store::Term{1});
    election.waitForResignations(1);
    loadError.reset();
    election.elect(store::Term{2});
    waitWhileTimePasses(1);
    EXPECT_EQ(told, Lines{"took over"});
}

TEST_F(FailoverTest, AStoreThatCannotBeReadIsAFaultAndTheLeadershipIsGivenBack) {
    loadError = Error{ErrorCode::damaged, "not a registration store"};
    failover.start();
    election.elect(store::Term{1});
    EXPECT_EQ(end(), loadError);
    election.waitForResignations(1);
    EXPECT_EQ(told, Lines{"ended"});
}

TEST_F(FailoverTest, WhoCannotServeStepsDownAndResigns) {
    takeOverAnswer = Error{ErrorCode::busy, "the port is taken"};
    failover.start();
    election.elect(store::Term{1});
    EXPECT_EQ(end()->text, "the port is taken");
    election.waitForResignations(1);
    EXPECT_EQ(told, (Lines{"took over", "stepped down", "ended"}));
}

TEST_F(FailoverTest, WhoCanNeverBeElectedSaysWhy) {
    failover.start();
    election.elect(Error{ErrorCode::io, "no such folder"});
    EXPECT_EQ(end()->text, "no such folder");
}

}  // namespace
}  // namespace crnpd::failover
