// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/grpc_client.h"

#include <future>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/etcd_server.h"

namespace crnpd::etcd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::HasSubstr;

Transaction putting(const std::string& key, const std::string& value, LeaseId lease = 0) {
    return {{}, {Put{key, value, lease}}, {}};
}

std::vector<std::string> keysOf(const Page& page) {
    std::vector<std::string> keys;
    for (const auto& row : page.rows)
        keys.push_back(row.key);
    return keys;
}

// What a watch has told.
struct Heard {
    std::mutex mutex;
    std::vector<std::string> texts;  // "key=value", "key gone"; "|" behind each call

    Watches::OnEvents listener() {
        return [this](const std::vector<Event>& events) {
            const std::scoped_lock lock(mutex);
            for (const auto& event : events)
                texts.push_back(event.key + (event.row ? "=" + event.row->value : " gone"));
        };
    }
    std::vector<std::string> all() {
        const std::scoped_lock lock(mutex);
        return texts;
    }
};

class GrpcClientTest : public testing::Test {
protected:
    void SetUp() override {
        if (!EtcdServer::isInstalled()) GTEST_SKIP() << EtcdServer::whyNot;
        start({});
    }
    void start(EtcdServer::Options options) {
        client.reset();
        server.reset();
        server = std::make_unique<EtcdServer>(std::move(options));
        client = server->connect();
    }
    Revision put(const std::string& key, const std::string& value, LeaseId lease = 0) {
        const auto done = client->transact(putting(key, value, lease));
        EXPECT_TRUE(done) << done.error().text;
        return done ? done->revision : 0;
    }
    std::optional<Row> get(const std::string& key) {
        const auto done = client->transact({{}, {Get{key}}, {}});
        EXPECT_TRUE(done) << done.error().text;
        return done ? done->got.at(0) : std::nullopt;
    }
    std::future<Result<void>> follow(const std::string& prefix, Revision from, Heard& heard) {
        return std::async(std::launch::async, [this, prefix, from, &heard] {
            return client->follow(prefix, from, heard.listener(), stop.get_token());
        });
    }

    std::stop_source stop;
    std::unique_ptr<EtcdServer> server;
    std::unique_ptr<GrpcClient> client;
};

TEST_F(GrpcClientTest, DoesTheBranchWhoseConditionsHold) {
    const auto first = put("/a", "1");
    Transaction change{{{Condition::Of::modified, "/a", first}, {Condition::Of::created, "/b", 0}},
                       {Put{"/a", "2"}, Get{"/a"}},
                       {Get{"/b"}, Get{"/a"}}};
    const auto done = client->transact(change);
    ASSERT_TRUE(done) << done.error().text;
    EXPECT_TRUE(done->succeeded);
    EXPECT_EQ(done->revision, first + 1);
    ASSERT_EQ(done->got.size(), 1U);
    EXPECT_EQ(done->got[0], (Row{"/a", "2", first, first + 1, 0}));

    const auto again = client->transact(change);
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_FALSE(again->succeeded);
    EXPECT_EQ(again->revision, first + 1);
    EXPECT_THAT(again->got, ElementsAre(std::nullopt, Row{"/a", "2", first, first + 1, 0}));
}

TEST_F(GrpcClientTest, DeletesOneKeyOrAllBelowAPrefix) {
    for (const std::string key : {"/d/1", "/d/2", "/d0", "/e"})
        put(key, "x");
    ASSERT_TRUE(client->transact({{}, {Delete{"/d/", true}, Delete{"/e"}}, {}}));
    EXPECT_THAT(keysOf(*client->read("/", "", 0, 100)), ElementsAre("/d0"));
}

TEST_F(GrpcClientTest, ReadsPageByPageAsOfOneRevision) {
    for (const std::string key : {"/p/1", "/p/2", "/p/3", "/p\xff", "/q"})
        put(key, "old");
    const auto first = client->read("/p/", "", 0, 2);
    ASSERT_TRUE(first) << first.error().text;
    EXPECT_THAT(keysOf(*first), ElementsAre("/p/1", "/p/2"));
    EXPECT_TRUE(first->hasMore);
    put("/p/3", "new");
    put("/p/4", "new");
    const auto second = client->read("/p/", "/p/2", first->revision, 2);
    ASSERT_TRUE(second) << second.error().text;
    EXPECT_THAT(keysOf(*second), ElementsAre("/p/3"));
    EXPECT_EQ(second->rows[0].value, "old");
    EXPECT_EQ(second->revision, first->revision);
    EXPECT_FALSE(second->hasMore);
}

TEST_F(GrpcClientTest, SaysThatARevisionWasCompacted) {
    const auto old = put("/a", "1");
    const auto now = put("/a", "2");
    server->etcdctl({"compaction", std::to_string(now)});
    EXPECT_EQ(client->read("/a", "", old, 1).error().code, ErrorCode::notFound);
    Heard heard;
    EXPECT_EQ(client->follow("/a", old, heard.listener(), {}).error().code, ErrorCode::notFound);
}

TEST_F(GrpcClientTest, KeepsALeaseAsLongAsItIsKeptAlive) {
    const auto lease = client->grant(seconds(1));
    ASSERT_TRUE(lease) << lease.error().text;
    put("/leased", "x", *lease);
    EXPECT_EQ(get("/leased")->lease, *lease);
    EXPECT_TRUE(client->keepAlive(*lease));
    EXPECT_TRUE(eventually([&] { return !get("/leased"); }));
    EXPECT_EQ(client->keepAlive(*lease).error().code, ErrorCode::notFound);
    EXPECT_TRUE(client->revoke(*lease));
    EXPECT_EQ(client->transact(putting("/leased", "x", *lease)).error().code, ErrorCode::notFound);
}

TEST_F(GrpcClientTest, RevokesALeaseWithItsRows) {
    const auto lease = client->grant(seconds(60));
    ASSERT_TRUE(lease) << lease.error().text;
    put("/leased", "x", *lease);
    EXPECT_TRUE(client->revoke(*lease));
    EXPECT_FALSE(get("/leased"));
}

TEST_F(GrpcClientTest, TellsOfChangesInOrderAndUntilItIsStopped) {
    const auto from = put("/w/a", "1");
    put("/v", "elsewhere");
    Heard heard;
    auto following = follow("/w/", from, heard);
    ASSERT_TRUE(client->transact({{}, {Put{"/w/b", "2"}, Delete{"/w/a"}}, {}}));
    put("/w/c", "3");
    EXPECT_TRUE(eventually([&] { return heard.all().size() == 4; }));
    EXPECT_THAT(heard.all(), ElementsAre("/w/a=1", "/w/b=2", "/w/a gone", "/w/c=3"));
    const auto begin = steady_clock::now();
    stop.request_stop();
    EXPECT_TRUE(following.get());
    EXPECT_LT(steady_clock::now() - begin, milliseconds(500));
}

TEST_F(GrpcClientTest, NeverSplitsARevisionOverTwoCalls) {
    const auto from = put("/w/begin", "x");
    for (int round = 0; round < 20; ++round) {
        Transaction many;
        for (int row = 0; row < 100; ++row)
            many.then.emplace_back(Put{"/w/" + std::to_string(row), std::string(10'000, 'x')});
        ASSERT_TRUE(client->transact(many));
    }
    std::mutex mutex;
    Revision last = from;
    std::size_t rows = 0;
    auto following = std::async(std::launch::async, [&] {
        return client->follow(
            "/w/", from + 1,
            [&](const std::vector<Event>& events) {
                const std::scoped_lock lock(mutex);
                EXPECT_GT(events.front().revision, last);
                last = events.back().revision;
                rows += events.size();
            },
            stop.get_token());
    });
    EXPECT_TRUE(eventually([&] {
        const std::scoped_lock lock(mutex);
        return rows == 2000;
    }));
    stop.request_stop();
    EXPECT_TRUE(following.get());
}

TEST_F(GrpcClientTest, NoticesThatAWatchHasDied) {
    auto options = server->client();
    options.attemptTime = milliseconds(200);
    client = std::move(*GrpcClient::create(options));
    Heard heard;
    auto following = follow("/", put("/a", "1"), heard);
    EXPECT_TRUE(eventually([&] { return !heard.all().empty(); }));
    server->pause();
    EXPECT_EQ(following.wait_for(seconds(5)), std::future_status::ready);
    server->resume();
    EXPECT_EQ(following.get().error().code, ErrorCode::busy);
}

TEST_F(GrpcClientTest, KeepsAQuietWatch) {
    auto options = server->client();
    options.attemptTime = milliseconds(50);
    client = std::move(*GrpcClient::create(options));
    Heard heard;
    const auto from = put("/a", "1");
    auto following = follow("/", from, heard);
    // Twenty times as long as silence is borne.
    EXPECT_EQ(following.wait_for(seconds(3)), std::future_status::timeout);
    put("/a", "2");
    EXPECT_TRUE(eventually([&] { return heard.all().size() == 2; }));
    stop.request_stop();
    EXPECT_TRUE(following.get());
}

TEST_F(GrpcClientTest, GoesOnToTheNextMemberAfterOneThatDoesNotAnswer) {
    auto options = server->client();
    options.endpoints.insert(options.endpoints.begin(), "127.0.0.1:1");
    client = std::move(*GrpcClient::create(options));
    const auto refused = client->transact(putting("/a", "1"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::busy);
    EXPECT_EQ(refused.error().text, "etcd at 127.0.0.1:1: connection refused");
    put("/a", "1");
}

TEST_F(GrpcClientTest, SurvivesTheLossOfAMinority) {
    EtcdServer::Options three;
    three.members = 3;
    start(std::move(three));
    // etcd says nothing to what it was asked while it had no leader: whoever waits long does not ask often.
    auto options = server->client();
    options.attemptTime = seconds(1);
    client = std::move(*GrpcClient::create(options));
    put("/a", "1");
    server->kill(0);
    EXPECT_TRUE(eventually([&] { return client->transact(putting("/a", "2")).has_value(); }));
    server->kill(1);
    const auto unknown = client->transact(putting("/a", "3"));
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, ErrorCode::busy);
    server->restart(0);
    EXPECT_TRUE(eventually([&] { return client->transact(putting("/a", "4")).has_value(); }));
}

// A member that is cut off from the others learns of no change.
TEST_F(GrpcClientTest, EndsAWatchOnAMemberThatHasLostItsLeader) {
    EtcdServer::Options three;
    three.members = 3;
    start(std::move(three));
    Heard heard;
    auto following = follow("/", put("/a", "1"), heard);
    EXPECT_TRUE(eventually([&] { return !heard.all().empty(); }));
    server->kill(1);
    server->kill(2);
    ASSERT_EQ(following.wait_for(seconds(20)), std::future_status::ready);
    const auto ended = following.get();
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, ErrorCode::busy);
    EXPECT_THAT(ended.error().text, HasSubstr("no leader"));
}

TEST_F(GrpcClientTest, IsBusyAfterTheAttemptTimeAtTheLatest) {
    auto options = server->client();
    options.attemptTime = milliseconds(300);
    client = std::move(*GrpcClient::create(options));
    put("/a", "1");
    server->pause();
    const auto begin = steady_clock::now();
    const auto unknown = client->transact(putting("/a", "2"));
    const auto took = steady_clock::now() - begin;
    server->resume();
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, ErrorCode::busy);
    EXPECT_THAT(unknown.error().text, HasSubstr(server->endpoint() + ": no answer in time"));
    EXPECT_LT(took, milliseconds(900));
}

TEST_F(GrpcClientTest, UsesAMemberThatReturnsAtOnce) {
    put("/a", "1");
    server->kill();
    EXPECT_EQ(client->transact(putting("/a", "2")).error().code, ErrorCode::busy);
    // Long enough for a back-off that grows to become long.
    const auto end = steady_clock::now() + seconds(3);
    while (steady_clock::now() < end)
        EXPECT_FALSE(client->transact(putting("/a", "2")));
    server->restart();
    const auto begin = steady_clock::now();
    EXPECT_TRUE(eventually([&] { return client->transact(putting("/a", "3")).has_value(); }));
    EXPECT_LT(steady_clock::now() - begin, milliseconds(1500))
        << client->transact(putting("/a", "3")).error().text;
}

TEST_F(GrpcClientTest, TellsWhatAMemberSaysOfItself) {
    const auto status = client->status();
    ASSERT_TRUE(status) << status.error().text;
    EXPECT_THAT(status->version, testing::StartsWith("3."));
    EXPECT_TRUE(status->knowsLeader);
    EXPECT_TRUE(status->errors.empty());
}

TEST_F(GrpcClientTest, RefusesWhatIsNoEndpoint) {
    for (const std::string text : {"", "host", "host:", "host:0", "host:70000", ":2379", "ftp://host:1",
                                   "http://host:1/path", "::1:2379"}) {
        GrpcClient::Options options;
        options.endpoints = {text};
        const auto created = GrpcClient::create(options);
        ASSERT_FALSE(created) << text;
        EXPECT_EQ(created.error().code, ErrorCode::invalidArgument);
    }
    EXPECT_FALSE(GrpcClient::create({}));
    EXPECT_EQ(parseEndpoint("http://[::1]:2379/", true)->target, "[::1]:2379");
    EXPECT_FALSE(parseEndpoint("http://[::1]:2379/", true)->isSecure);
    EXPECT_TRUE(parseEndpoint("host:2379", true)->isSecure);
}

// --- a database that is full ------------------------------------------------------------------------------

class FullEtcdTest : public GrpcClientTest {
protected:
    void SetUp() override {
        if (!EtcdServer::isInstalled()) GTEST_SKIP() << EtcdServer::whyNot;
        EtcdServer::Options options;
        options.more = {"--quota-backend-bytes=4000000"};
        start(std::move(options));
    }
    // Carried out only as the first of its kind behind `behind`.
    Result<TransactionAnswer> write(Revision behind, const std::string& value) {
        return client->transact(
            {{{Condition::Of::modified, "/head", behind}}, {Put{"/head", value}}, {Get{"/head"}}});
    }
};

TEST_F(FullEtcdTest, SaysThatThereIsNoSpaceOnlyOfWhatWasNotCarriedOut) {
    Revision head = 0;
    std::string value;
    for (int round = 0; round < 200; ++round) {
        value = std::to_string(round) + std::string(200'000, 'x');
        const auto written = write(head, value);
        const auto found = client->read("/head", "", 0, 1);
        ASSERT_TRUE(found) << found.error().text;
        if (!written) {
            ASSERT_EQ(written.error().code, ErrorCode::noSpace) << written.error().text;
            EXPECT_THAT(written.error().text, HasSubstr("NOSPACE alarm"));
            EXPECT_EQ(found->rows.at(0).modified, head);
            break;
        }
        // Not succeeded: the very copy that etcd called refused is there.
        if (!written->succeeded) {
            EXPECT_EQ(written->got.at(0)->value, value);
        }
        ASSERT_EQ(found->rows.at(0).value, value);
        head = found->rows.at(0).modified;
    }
    EXPECT_EQ(client->grant(seconds(60)).error().code, ErrorCode::noSpace);
    EXPECT_EQ(write(head, "small").error().code, ErrorCode::noSpace);
}

TEST_F(FullEtcdTest, TellsOfACopyThatWasCarriedOutBefore) {
    const auto head = put("/head", "first");
    ASSERT_TRUE(write(head, "second")->succeeded);
    while (client->transact(putting("/fill", std::string(500'000, 'x')))) {
    }
    const auto again = write(head, "second");
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_FALSE(again->succeeded);
    EXPECT_EQ(again->got.at(0)->value, "second");
    // Nothing could tell whether this one was carried out.
    EXPECT_EQ(client->transact(putting("/fill", "x")).error().code, ErrorCode::busy);
}

// --- who is who
// ---------------------------------------------------------------------------------------------

TEST_F(GrpcClientTest, SpeaksTlsWithThoseItsAuthorityHasSigned) {
    const store::StoreFolder folder;
    const Certificates right(folder, "right");
    const Certificates wrong(folder, "wrong");
    EtcdServer::Options secured;
    secured.tls = &right;
    start(std::move(secured));
    put("/a", "1");

    auto options = server->client();
    options.tls = *readTls(wrong.ca, right.certificate, right.key);
    auto other = std::move(*GrpcClient::create(options));
    const auto refused = other->transact(putting("/a", "2"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::busy);
    EXPECT_THAT(refused.error().text, HasSubstr("not signed by the authority in ca_file"));
    EXPECT_EQ(get("/a")->value, "1");
}

TEST(ReadTls, NamesTheFileThatIsWrong) {
    const store::StoreFolder folder;
    EXPECT_THAT(readTls(folder / "none.pem", "", "").error().text,
                HasSubstr("none.pem: cannot be read: No such file"));
    store::writeContent(folder / "text.pem", "no certificate");
    EXPECT_THAT(readTls(folder / "text.pem", "", "").error().text,
                HasSubstr("text.pem: holds nothing in PEM"));
    EXPECT_EQ(readTls("", "cert", "").error().code, ErrorCode::invalidArgument);
}

class UsersTest : public GrpcClientTest {
protected:
    void SetUp() override {
        if (!EtcdServer::isInstalled()) GTEST_SKIP() << EtcdServer::whyNot;
        EtcdServer::Options options;
        options.user = "crnpd";
        options.password = "secret";
        start(std::move(options));
    }
};

TEST_F(UsersTest, ShowsItsPasswordAndMayDoWhatItsRoleMay) {
    const auto from = put("/crnpd/a", "1");
    Heard heard;
    auto following = follow("/crnpd/", from, heard);
    EXPECT_TRUE(eventually([&] { return heard.all().size() == 1; }));
    stop.request_stop();
    EXPECT_TRUE(following.get());
    const auto lease = client->grant(seconds(60));
    ASSERT_TRUE(lease) << lease.error().text;
    EXPECT_TRUE(client->keepAlive(*lease));

    const auto elsewhere = client->transact(putting("/other", "1"));
    ASSERT_FALSE(elsewhere);
    EXPECT_EQ(elsewhere.error().code, ErrorCode::io);
    EXPECT_THAT(elsewhere.error().text, HasSubstr("permission denied"));
    EXPECT_EQ(client->follow("/other/", 1, heard.listener(), {}).error().code, ErrorCode::io);
}

TEST_F(UsersTest, AsksForAnotherTokenWhenEtcdHasForgottenIt) {
    put("/crnpd/a", "1");
    server->restart();  // what etcd calls simple tokens is in memory
    EXPECT_TRUE(eventually([&] { return client->transact(putting("/crnpd/a", "2")).has_value(); }));
}

TEST_F(UsersTest, SaysThatThePasswordIsWrong) {
    auto options = server->client();
    options.password = "guess";
    client = std::move(*GrpcClient::create(options));
    const auto refused = client->transact(putting("/crnpd/a", "1"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::io);
    EXPECT_THAT(refused.error().text, HasSubstr("store.etcd.username"));
    options.username.clear();
    client = std::move(*GrpcClient::create(options));
    EXPECT_EQ(client->transact(putting("/crnpd/a", "1")).error().code, ErrorCode::io);
}

}  // namespace
}  // namespace crnpd::etcd
