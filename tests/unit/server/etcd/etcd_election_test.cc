// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/etcd_election.h"

#include <future>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/etcd/lease_file.h"
#include "tests/support/etcd_server.h"

namespace crnpd::etcd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

class EtcdElectionTest : public testing::Test {
protected:
    // A server that stands for election, with a connection of its own.
    struct Candidate {
        Candidate(const EtcdServer& server, EtcdElection::Options options, milliseconds attemptTime) {
            auto reach = server.client();
            reach.attemptTime = attemptTime;
            client = std::move(*GrpcClient::create(std::move(reach)));
            election = std::make_unique<EtcdElection>(*client, *client, *client, clock, std::move(options));
            election->onLoss([this](const std::string& reason) {
                const std::scoped_lock lock(mutex);
                losses.push_back(reason);
            });
        }
        // Ends as if its process had been killed.
        ~Candidate() {
            stop.request_stop();
            if (campaigning.valid()) campaigning.wait();
        }
        Candidate(const Candidate&) = delete;
        Candidate& operator=(const Candidate&) = delete;

        void campaign() {
            campaigning =
                std::async(std::launch::async, [this] { return election->campaign(stop.get_token()); });
        }
        bool isElected(milliseconds limit) {
            return campaigning.wait_for(limit) == std::future_status::ready;
        }
        store::Term term() {
            const auto elected = campaigning.get();
            EXPECT_TRUE(elected) << elected.error().text;
            return elected ? *elected : 0;
        }
        std::vector<std::string> lost() {
            const std::scoped_lock lock(mutex);
            return losses;
        }

        SystemClock clock;
        std::unique_ptr<GrpcClient> client;
        std::unique_ptr<EtcdElection> election;
        std::stop_source stop;
        std::future<Result<store::Term>> campaigning;
        std::mutex mutex;
        std::vector<std::string> losses;
    };

    void SetUp() override {
        if (!EtcdServer::isInstalled()) GTEST_SKIP() << EtcdServer::whyNot;
        server = std::make_unique<EtcdServer>();
        client = server->connect();
    }
    EtcdElection::Options named(const std::string& name, seconds leaseTime = seconds(60)) const {
        EtcdElection::Options options;
        options.self = {name, "192.0.2.1:9444"};
        options.leaseTime = leaseTime;
        return options;
    }
    std::unique_ptr<Candidate> candidate(EtcdElection::Options options,
                                         milliseconds attemptTime = seconds(1)) {
        auto made = std::make_unique<Candidate>(*server, std::move(options), attemptTime);
        made->campaign();
        return made;
    }
    std::optional<Row> leaderRow() {
        auto page = client->read("/crnpd/leader", "", 0, 1);
        EXPECT_TRUE(page) << page.error().text;
        return page && !page->rows.empty() ? std::optional(page->rows.front()) : std::nullopt;
    }

    std::unique_ptr<EtcdServer> server;
    std::unique_ptr<GrpcClient> client;
};

TEST_F(EtcdElectionTest, ElectsOneAndTellsTheOtherWhoLeads) {
    auto one = candidate(named("one"));
    const auto term = one->term();
    auto two = candidate(named("two"));
    EXPECT_TRUE(eventually([&] { return two->election->leader() == "one"; }));
    EXPECT_FALSE(two->isElected(milliseconds(200)));
    EXPECT_EQ(one->election->leader(), "");
    EXPECT_EQ(leaderRow()->created, static_cast<Revision>(term));
}

TEST_F(EtcdElectionTest, WhoResignedLearnsWhoWasElectedWithoutStandingAgain) {
    auto one = candidate(named("one"));
    (void)one->term();
    one->election->resign();
    EXPECT_EQ(one->election->leader(), "");
    auto two = candidate(named("two"));
    (void)two->term();
    EXPECT_TRUE(eventually([&] { return one->election->leader() == "two"; }));
    two->election->resign();
    EXPECT_TRUE(eventually([&] { return one->election->leader().empty(); }));
}

TEST_F(EtcdElectionTest, HandsOverAtOnceWhenOneResigns) {
    auto one = candidate(named("one"));
    const auto term = one->term();
    auto two = candidate(named("two"));
    EXPECT_TRUE(eventually([&] { return two->election->leader() == "one"; }));
    const auto begin = steady_clock::now();
    one->election->resign();
    ASSERT_TRUE(two->isElected(seconds(10)));
    EXPECT_LT(steady_clock::now() - begin, seconds(1));
    EXPECT_GT(two->term(), term);
    EXPECT_TRUE(one->lost().empty());
}

TEST_F(EtcdElectionTest, ElectsAnotherWhenTheLeaseOfADeadOneRunsOut) {
    auto one = candidate(named("one", seconds(1)));
    (void)one->term();
    auto two = candidate(named("two", seconds(1)));
    EXPECT_FALSE(two->isElected(seconds(3)));  // three times the lease's time: it is kept alive
    one.reset();
    EXPECT_TRUE(two->isElected(seconds(10)));
}

TEST_F(EtcdElectionTest, SeizesOnceAndTellsTheOneBefore) {
    auto one = candidate(named("one"));
    const auto term = one->term();
    auto options = named("two");
    options.seize = true;
    auto two = candidate(options);
    ASSERT_TRUE(two->isElected(seconds(10)));
    EXPECT_GT(two->term(), term);
    EXPECT_TRUE(eventually([&] { return !one->lost().empty(); }));

    two->election->resign();
    one->campaign();
    (void)one->term();
    two->campaign();
    EXPECT_FALSE(two->isElected(milliseconds(300)));
    EXPECT_EQ(one->lost().size(), 1U);
}

TEST_F(EtcdElectionTest, TellsOnceThatItsLeaseWasRevoked) {
    auto one = candidate(named("one", seconds(1)));
    (void)one->term();
    ASSERT_TRUE(client->revoke(leaderRow()->lease));
    EXPECT_TRUE(eventually([&] { return !one->lost().empty(); }));
    // Keep-alives, which fail by now, come every third of a second.
    EXPECT_FALSE(eventually([&] { return one->lost().size() > 1; }, milliseconds(700)));
    one->campaign();
    EXPECT_GT(one->term(), 0U);
}

TEST_F(EtcdElectionTest, TellsThatItsLeaseMayHaveRunOut) {
    auto one = candidate(named("one", seconds(2)), milliseconds(300));
    (void)one->term();
    const auto begin = steady_clock::now();
    server->pause();
    EXPECT_TRUE(eventually([&] { return !one->lost().empty(); }));
    EXPECT_LT(steady_clock::now() - begin, milliseconds(2500));
    EXPECT_THAT(one->lost().front(), HasSubstr("may have run out: etcd at " + server->endpoint()));
    const auto resigning = steady_clock::now();
    one->election->resign();
    EXPECT_LT(steady_clock::now() - resigning, seconds(5));
    server->resume();
}

TEST_F(EtcdElectionTest, GoesOnWhileEtcdIsAwayAndSaysSo) {
    server->kill();
    auto one = candidate(named("one"));
    EXPECT_TRUE(eventually([&] { return !one->election->obstacle().empty(); }));
    EXPECT_EQ(one->election->obstacle(),
              "no member of etcd answers (etcd at " + server->endpoint() + ": connection refused)");
    server->restart();
    ASSERT_TRUE(one->isElected(seconds(20)));
    EXPECT_GT(one->term(), 0U);
    EXPECT_EQ(one->election->obstacle(), "");
}

TEST_F(EtcdElectionTest, AnswersARequestToStopAtOnce) {
    auto one = candidate(named("one"));
    (void)one->term();
    auto two = candidate(named("two"));
    EXPECT_TRUE(eventually([&] { return two->election->leader() == "one"; }));
    two->stop.request_stop();
    ASSERT_TRUE(two->isElected(milliseconds(900)));
    EXPECT_EQ(two->campaigning.get().error().code, ErrorCode::cancelled);
}

TEST_F(EtcdElectionTest, NotesItsLeaseWhileItLeads) {
    const store::StoreFolder folder;
    auto options = named("one");
    options.leaseFile = folder / "lease";
    auto one = candidate(options);
    (void)one->term();
    struct stat status {};
    ASSERT_EQ(::stat(options.leaseFile.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    EXPECT_THAT(store::contentOf(options.leaseFile),
                testing::StartsWith(fmt::format("lease {:x}\npid {}\n", leaderRow()->lease, ::getpid())));
    EXPECT_EQ(revokeLeaseInFile(*client, options.leaseFile).error().code, ErrorCode::busy);
    EXPECT_TRUE(leaderRow());
    one->election->resign();
    EXPECT_TRUE(folder.files().empty());
    EXPECT_FALSE(*revokeLeaseInFile(*client, options.leaseFile));
}

TEST_F(EtcdElectionTest, IsHandedOnByWhoeverRevokesTheLeaseOfADeadProcess) {
    const store::StoreFolder folder;
    const auto path = folder / "lease";
    const auto lease = client->grant(seconds(60));
    ASSERT_TRUE(standFor(*client, Keys("/crnpd"), *lease, {"dead", ""})->term);
    auto two = candidate(named("two"));
    EXPECT_TRUE(eventually([&] { return two->election->leader() == "dead"; }));
    const pid_t child = ::fork();
    if (child == 0) ::_exit(writeLeaseFile(path, *lease) ? 0 : 1);
    ::waitpid(child, nullptr, 0);

    const auto revoked = revokeLeaseInFile(*client, path);
    ASSERT_TRUE(revoked) << revoked.error().text;
    EXPECT_TRUE(*revoked);
    EXPECT_TRUE(two->isElected(seconds(1)));
    EXPECT_TRUE(folder.files().empty());
}

TEST_F(EtcdElectionTest, TakesAProcessNumberThatWasGivenAgainForAnotherProcess) {
    const store::StoreFolder folder;
    const auto path = folder / "lease";
    store::writeContent(path, fmt::format("lease 1f\npid {}\nstarted 1\n", ::getpid()));
    EXPECT_TRUE(*revokeLeaseInFile(*client, path));
    store::writeContent(path, "lease of life\n");
    EXPECT_EQ(revokeLeaseInFile(*client, path).error().code, ErrorCode::damaged);
}

}  // namespace
}  // namespace crnpd::etcd
