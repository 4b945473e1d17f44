// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What an election and a leadership do when etcd says no, and when threads or memory run out.
#include <atomic>
#include <future>
#include <mutex>
#include <new>
#include <system_error>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/etcd/etcd_election.h"
#include "server/etcd/stop_after.h"
#include "tests/support/failing_memory.h"
#include "tests/support/manual_clock.h"
#include "tests/support/scarcity.h"

namespace crnpd::etcd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

bool eventually(const std::function<bool()>& isSo) {
    const auto end = std::chrono::steady_clock::now() + seconds(10);
    while (!isSo()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(milliseconds(2));
    }
    return true;
}

// Holds the leader's key only, and answers as the test says.
class TroubledEtcd final : public KeyValue, public Leases, public Watches {
public:
    Result<TransactionAnswer> transact(const Transaction& transaction) noexcept override {
        const std::scoped_lock lock(mutex);
        if (transaction.then.empty() || std::holds_alternative<Delete>(transaction.then.front())) {
            row.reset();
            return TransactionAnswer{true, ++revision, {}};
        }
        if (row) return TransactionAnswer{false, revision, {row}};
        const auto& put = std::get<Put>(transaction.then.front());
        ++revision;
        row = Row{put.key, put.value, revision, revision, put.lease};
        return TransactionAnswer{true, revision, {}};
    }
    Result<Page> read(const std::string&, const std::string&, Revision, std::size_t) noexcept override {
        ++reads;
        const std::scoped_lock lock(mutex);
        if (refusal) return *refusal;
        return Page{revision, row ? std::vector<Row>{*row} : std::vector<Row>{}, false};
    }
    Result<LeaseId> grant(seconds) noexcept override {
        ++grants;
        const std::scoped_lock lock(mutex);
        if (isFull) return Error{ErrorCode::noSpace, "database space exceeded"};
        return LeaseId{7};
    }
    Result<void> keepAlive(LeaseId) noexcept override {
        ++keepAlives;
        if (isMemoryShort) {
            Error error{ErrorCode::busy, "etcd at n1: no answer in time, and it is a long story"};
            support::failAllocation(1);  // of the thread that asks
            return error;
        }
        if (isLeaseGone) return Error{ErrorCode::notFound, "no such lease"};
        return {};
    }
    Result<void> revoke(LeaseId lease) noexcept override {
        const std::scoped_lock lock(mutex);
        if (row && row->lease == lease) row.reset();
        ++revokes;
        return {};
    }
    Result<void> follow(const std::string&, Revision, const OnEvents&,
                        std::stop_token stop) noexcept override {
        while (!stop.stop_requested()) {
            pauseFor(milliseconds(2), stop);
            const std::scoped_lock lock(mutex);
            if (refusal) return *refusal;
        }
        return {};
    }
    void set(std::optional<Row> leader) {
        const std::scoped_lock lock(mutex);
        row = std::move(leader);
    }
    void refuse(std::optional<Error> error) {
        const std::scoped_lock lock(mutex);
        refusal = std::move(error);
    }

    std::atomic<int> reads = 0;
    std::atomic<int> grants = 0;
    std::atomic<int> keepAlives = 0;
    std::atomic<int> revokes = 0;
    std::atomic<bool> isLeaseGone = false;
    std::atomic<bool> isMemoryShort = false;
    std::mutex mutex;
    std::optional<Row> row;  // this and the rest guarded by mutex
    std::optional<Error> refusal;
    Revision revision = 10;
    bool isFull = false;
};

class ElectionTroubleTest : public testing::Test {
protected:
    ElectionTroubleTest() {
        options.self = {"us", ""};
        options.leaseTime = seconds(3);
        options.pause = milliseconds(5);
        options.longestPause = milliseconds(200);
    }
    ~ElectionTroubleTest() override {
        stop.request_stop();
        if (campaigning.valid()) campaigning.wait();
    }
    void campaign() {
        election = std::make_unique<EtcdElection>(etcd, etcd, etcd, clock, options);
        campaigning = std::async(std::launch::async, [this] { return election->campaign(stop.get_token()); });
    }
    Row otherServer() const { return {options.keys.leader(), encodeLeader({"other", ""}), 5, 5, 99}; }
    // By a clock that the test moves; the threads see to it again after a third of the time as it really is.
    std::unique_ptr<Tenure> tenureOf(milliseconds time) {
        return std::make_unique<Tenure>(etcd, etcd, etcd, manualClock, options.keys, 5, 5,
                                        Tenure::Lease{7, time, manualClock.steady()},
                                        [](const std::string&) {});
    }
    std::unique_ptr<Tenure> tenure(Tenure::Lost lost) {
        return std::make_unique<Tenure>(etcd, etcd, etcd, clock, options.keys, 5, 5,
                                        Tenure::Lease{7, milliseconds(600), clock.steady()}, std::move(lost));
    }

    SystemClock clock;
    support::ManualClock manualClock;
    TroubledEtcd etcd;
    EtcdElection::Options options;
    std::unique_ptr<EtcdElection> election;
    std::stop_source stop;
    std::future<Result<store::Term>> campaigning;
};

TEST_F(ElectionTroubleTest, AStandbyKnowsItsLeaderWhereNoLeaseIsGranted) {
    etcd.isFull = true;
    etcd.set(otherServer());
    campaign();
    EXPECT_TRUE(eventually([&] { return election->leader() == "other"; }));
    EXPECT_EQ(etcd.grants, 0);
    EXPECT_EQ(election->obstacle(), "");
}

TEST_F(ElectionTroubleTest, AsksMoreAndMoreSeldomWhileTheAnswerIsNo) {
    etcd.isFull = true;
    campaign();
    EXPECT_TRUE(eventually([&] { return etcd.grants >= 4; }));
    EXPECT_EQ(election->obstacle(), "database space exceeded");
    const auto begin = std::chrono::steady_clock::now();
    const int before = etcd.grants;
    EXPECT_TRUE(eventually([&] { return etcd.grants >= before + 6; }));
    // 40, 80, 160, 200, 200 ms and the rest of one; at the first pace it would be 30 ms.
    EXPECT_GT(std::chrono::steady_clock::now() - begin, milliseconds(500));
}

TEST_F(ElectionTroubleTest, AsksOnAtTheSamePaceWhileNobodyAnswers) {
    etcd.refuse(Error{ErrorCode::busy, "n1: no answer"});
    options.longestPause = seconds(3600);
    campaign();
    EXPECT_TRUE(eventually([&] { return etcd.reads >= 30; }));
}

TEST_F(ElectionTroubleTest, ALeaderThatNobodyCanConfirmIsUnknown) {
    etcd.set(otherServer());
    campaign();
    EXPECT_TRUE(eventually([&] { return election->leader() == "other"; }));
    etcd.refuse(Error{ErrorCode::busy, "n1: no answer"});
    EXPECT_TRUE(eventually([&] { return election->leader().empty(); }));
    EXPECT_TRUE(
        eventually([&] { return election->obstacle() == "no member of etcd answers (n1: no answer)"; }));
    etcd.refuse({});
    EXPECT_TRUE(eventually([&] { return election->leader() == "other"; }));
    EXPECT_EQ(election->obstacle(), "");
}

TEST_F(ElectionTroubleTest, GoesOnWhenThereAreNoThreadsAndLetsOthersLeadMeanwhile) {
    election = std::make_unique<EtcdElection>(etcd, etcd, etcd, clock, options);
    std::optional<support::NoThreads> none;
    std::promise<void> begun;
    campaigning = std::async(std::launch::async, [&, ready = begun.get_future()]() mutable {
        ready.wait();
        return election->campaign(stop.get_token());
    });
    none.emplace();
    begun.set_value();
    EXPECT_TRUE(eventually([&] { return etcd.revokes >= 2; }));
    EXPECT_THAT(election->obstacle(), HasSubstr("this server cannot stand for election: "));
    EXPECT_EQ(campaigning.wait_for(seconds(0)), std::future_status::timeout);
    none.reset();
    const auto term = campaigning.get();
    ASSERT_TRUE(term) << term.error().text;
    EXPECT_EQ(election->obstacle(), "");
}

TEST_F(ElectionTroubleTest, ATenureWithoutItsThreadsKeepsNoLeaseAlive) {
    {
        const support::NoThreads none;
        EXPECT_THROW((void)tenure([](const std::string&) {}), std::system_error);
    }
    EXPECT_EQ(etcd.keepAlives, 0);
}

TEST_F(ElectionTroubleTest, ATenureTellsAgainWhereItsLossCouldNotBeHeard) {
    std::atomic<int> told = 0;
    etcd.isLeaseGone = true;
    const auto kept = tenure([&](const std::string&) {
        if (++told == 1) throw std::bad_alloc();
    });
    EXPECT_TRUE(eventually([&] { return told == 2; }));
}

TEST_F(ElectionTroubleTest, ATenureWhoseThreadFailsIsLost) {
    etcd.isMemoryShort = true;
    std::promise<std::string> lost;
    const auto kept = tenure([&](const std::string& reason) { lost.set_value(reason); });
    EXPECT_THAT(lost.get_future().get(), HasSubstr("term 5: the leadership cannot be looked after: "));
}

// As when the process was paused: its threads have not noticed yet.
TEST_F(ElectionTroubleTest, ATenureIsNotCertainAnyMoreAsSoonAsItsTimeIsOver) {
    const auto kept = tenureOf(seconds(3600));
    const auto hold = kept->hold();
    manualClock.advance(seconds(3600) - milliseconds(1));
    EXPECT_TRUE(hold->isCertain());
    manualClock.advance(milliseconds(1));
    EXPECT_FALSE(hold->isCertain());
}

TEST_F(ElectionTroubleTest, ATenureThatIsKeptAliveStaysCertain) {
    const auto kept = tenureOf(milliseconds(30));
    manualClock.advance(milliseconds(20));
    const int before = etcd.keepAlives;
    ASSERT_TRUE(eventually([&] { return etcd.keepAlives >= before + 3; }));
    manualClock.advance(milliseconds(20));
    EXPECT_TRUE(kept->hold()->isCertain());
}

TEST_F(ElectionTroubleTest, ATenureThatIsLostIsNotCertainWhateverTheTime) {
    const auto kept = tenureOf(milliseconds(300));
    EXPECT_TRUE(kept->hold()->isCertain());
    etcd.isLeaseGone = true;
    EXPECT_TRUE(eventually([&] { return !kept->hold()->isCertain(); }));
}

TEST_F(ElectionTroubleTest, AnElectionTellsOfEachLeadershipWhetherItIsOurs) {
    campaign();
    ASSERT_TRUE(campaigning.get());
    const auto first = election->stillLeading();
    EXPECT_TRUE(first());
    election->resign();
    EXPECT_FALSE(election->stillLeading()());
    ASSERT_TRUE(election->campaign(stop.get_token()));
    EXPECT_TRUE(election->stillLeading()());
    EXPECT_FALSE(first());
}

}  // namespace
}  // namespace crnpd::etcd
