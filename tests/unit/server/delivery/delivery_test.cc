// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/delivery.h"

#include <atomic>
#include <cstdint>
#include <future>
#include <thread>

#include <gmock/gmock.h>

#include "common/xml/event_writer.h"
#include "tests/support/log_lines.h"
#include "tests/unit/server/delivery/client_sockets.h"
#include "tests/unit/server/delivery/dispatcher_world.h"

namespace crnpd::delivery {
namespace {

// Commits everything at once, and removes.
class WillingLedger final : public Ledger {
public:
    void remove(const CallbackAddress& client, NewsNumber /*heard*/,
                std::function<void(Removal)> done) override {
        removed.set_value({client, std::move(done)});
    }
    void keep(MarkRecord /*mark*/, std::vector<Sequence> /*released*/,
              std::function<void(bool kept)> done) override {
        std::thread([done = std::move(done)] { done(true); }).detach();
    }

    std::promise<std::pair<CallbackAddress, std::function<void(Removal)>>> removed;
};

class DeliveryTest : public testing::Test {
protected:
    static Delivery::Options options() {
        Delivery::Options options;
        options.dispatch.retry = {2, std::chrono::milliseconds(1'000)};
        return options;
    }
    void hear(Committed one) { delivery_->hear({std::move(one)}); }
    void join(RecordId id, const ClientSocket& client, const std::string& name,
              std::shared_ptr<ReplyGate> gate = nullptr) {
        const Sequence at = ++last_;
        hear(ClientChanged{ClientChanged::How::joined,
                           {id, client.address(), encodeRegistrations(groups({name})), IpAddress{}, at, at},
                           {},
                           std::move(gate)});
    }
    // Clients on a host where nothing listens.
    void joinDead(std::size_t count, const std::string& name) {
        for (RecordId id = 1; id <= count; ++id) {
            const auto port = static_cast<std::uint16_t>(20'000 + id);
            hear(ClientChanged{ClientChanged::How::joined,
                               {id,
                                {IpAddress::parse("127.9.9.9").value(), port},
                                encodeRegistrations(groups({name})),
                                IpAddress{},
                                id,
                                id},
                               {},
                               nullptr});
        }
        last_ = count;
    }
    void publish(const std::string& name) { hear(EventPublished{++last_, groupEvent(name)}); }
    static std::string document(const std::string& name) { return xml::writeEvent(*groupEvent(name)); }
    // When the delivery has come to all that was said to it.
    void wait() {
        std::promise<void> done;
        delivery_->ping([&done] { done.set_value(); });
        done.get_future().get();
    }

    // `say` is said while the delivery is busy, so that it comes to all of it in one go.
    template <typename Say>
    void whileItIsBusy(const Say& say) {
        std::promise<void> goOn;
        delivery_->ping([busy = goOn.get_future().share()] { busy.wait(); });
        say();
        goOn.set_value();
        wait();
    }

    SystemClock clock_;
    WillingLedger ledger_;
    Sequence last_ = 0;
    ClientSocket client_;
    std::atomic<bool> leads_ = true;
    std::unique_ptr<Delivery> delivery_ =
        std::make_unique<Delivery>(clock_, options(), ledger_, [this] { return leads_.load(); });
};

TEST_F(DeliveryTest, BringsEventsInTheirOrder) {
    delivery_->start(std::make_shared<const Snapshot>());
    join(1, client_, "a");
    for (int count = 0; count < 50; ++count)
        publish("a");
    for (int count = 0; count < 50; ++count)
        ASSERT_EQ(client_.receive(), document("a"));
    wait();
    EXPECT_FALSE(client_.accept(0));
}

TEST_F(DeliveryTest, ManyClientsGetTheirsWhileOneNeverReads) {
    const std::vector<ClientSocket> clients(20);
    delivery_->start(std::make_shared<const Snapshot>());
    join(1, client_, "a");
    for (std::size_t index = 0; index < clients.size(); ++index)
        join(2 + index, clients[index], "a");
    for (int round = 0; round < 5; ++round)
        publish("a");
    for (int round = 0; round < 5; ++round) {
        for (const auto& client : clients)
            ASSERT_EQ(client.receive(), document("a"));
    }
}

TEST_F(DeliveryTest, SeesToOthersWhileVeryManyAttemptsFailAtOnce) {
    constexpr std::size_t clients = 6'000;
    const support::LogLines lines;
    delivery_->start(std::make_shared<const Snapshot>());
    joinDead(clients, "a");
    std::promise<std::size_t> failed;
    whileItIsBusy([&] {
        publish("a");
        delivery_->ping([&] { delivery_->ping([&] { failed.set_value(lines.count("CRNPD-DLV-002")); }); });
    });
    const auto failedByThen = failed.get_future().get();
    EXPECT_GT(failedByThen, 0U);
    EXPECT_LT(failedByThen, clients);
    delivery_.reset();
}

TEST_F(DeliveryTest, TheReplyComesFirst) {
    delivery_->start(std::make_shared<const Snapshot>());
    const auto gate = std::make_shared<ReplyGate>();
    join(1, client_, "a", gate);
    publish("a");
    wait();
    EXPECT_FALSE(client_.accept(0));
    gate->open();
    EXPECT_EQ(client_.receive(), document("a"));
}

TEST_F(DeliveryTest, NothingIsBegunToWhoeverLeft) {
    delivery_->start(std::make_shared<const Snapshot>());
    join(1, client_, "a");
    wait();
    hear(ClientLeft{1, client_.address()});
    publish("a");
    wait();
    EXPECT_FALSE(client_.accept(0));
    EXPECT_FALSE(delivery_->clientProgress(client_.address()));
}

TEST_F(DeliveryTest, NothingIsBegunOnceItWasSaidThatAClientLeft) {
    delivery_->start(std::make_shared<const Snapshot>());
    join(1, client_, "a");
    whileItIsBusy([&] {
        publish("a");
        hear(ClientLeft{1, client_.address()});
    });
    EXPECT_FALSE(client_.accept(0));
}

TEST_F(DeliveryTest, NothingIsBegunThatWasAskedForBeforeAClientJoinedAnew) {
    delivery_->start(std::make_shared<const Snapshot>());
    join(1, client_, "a");
    whileItIsBusy([&] {
        publish("a");
        join(1, client_, "b");
    });
    publish("b");
    EXPECT_EQ(client_.receive(), document("b"));
}

TEST_F(DeliveryTest, NothingIsBegunWhileAnotherServerMayLeadAndThatIsNoFailure) {
    delivery_->start(std::make_shared<const Snapshot>());
    join(1, client_, "a");
    leads_ = false;
    publish("a");
    wait();
    EXPECT_FALSE(client_.accept(200));
    const auto progress = delivery_->clientProgress(client_.address());
    ASSERT_TRUE(progress);
    EXPECT_EQ(progress->failures, 0U);
    leads_ = true;
    EXPECT_EQ(client_.receive(), document("a"));
}

TEST_F(DeliveryTest, JoiningAnewWhileAnAttemptIsUnderWayBeginsAnew) {
    delivery_->start(std::make_shared<const Snapshot>());
    join(1, client_, "a");
    publish("a");
    const UniqueFd first = client_.accept();
    join(1, client_, "a");
    EXPECT_EQ(client_.receive(), document("a"));
}

TEST_F(DeliveryTest, LeavingWhileAnAttemptIsUnderWayEndsIt) {
    delivery_->start(std::make_shared<const Snapshot>());
    join(1, client_, "a");
    publish("a");
    publish("a");
    EXPECT_TRUE(client_.accept());
    hear(ClientLeft{1, client_.address()});
    wait();
    wait();
    EXPECT_FALSE(client_.accept(0));
}

TEST_F(DeliveryTest, WhoRefusesIsGivenUp) {
    delivery_->start(std::make_shared<const Snapshot>());
    const SocketAddress address = client_.address();
    join(1, client_, "a");
    wait();
    client_.close();
    publish("a");
    auto [removed, done] = ledger_.removed.get_future().get();
    EXPECT_EQ(removed, address);
    const auto progress = delivery_->clientProgress(address);
    ASSERT_TRUE(progress);
    EXPECT_TRUE(progress->leaving);
    EXPECT_THAT(progress->attempts.at(0).result, testing::HasSubstr("refused"));
    hear(ClientLeft{1, address});
    done(Ledger::Removal::removed);
    EXPECT_FALSE(delivery_->clientProgress(address));
}

TEST_F(DeliveryTest, ANewLeaderBringsWhatIsMissing) {
    Snapshot rows;
    rows.clients = {{1, client_.address(), encodeRegistrations(groups({"a"})), IpAddress{}, 1, 1}};
    rows.events = {{2, encodeEvent(*groupEvent("a"))}};
    rows.mark.upTo = 1;
    rows.last = 2;
    delivery_->start(std::make_shared<const Snapshot>(rows));
    EXPECT_EQ(client_.receive(), document("a"));
}

TEST_F(DeliveryTest, NothingIsBegunAfterAStopAndGatesMayOpenLate) {
    delivery_->start(std::make_shared<const Snapshot>());
    const auto gate = std::make_shared<ReplyGate>();
    join(1, client_, "a", gate);
    publish("a");
    delivery_->stop();
    gate->open();
    delivery_.reset();
    EXPECT_FALSE(client_.accept(0));
}

TEST_F(DeliveryTest, PeopleSeeTheLastEvents) {
    delivery_->start(std::make_shared<const Snapshot>());
    join(1, client_, "a");
    publish("a");
    EXPECT_EQ(client_.receive(), document("a"));
    const auto events = delivery_->events(10);
    ASSERT_TRUE(events);
    ASSERT_EQ(events->events.size(), 1U);
    EXPECT_EQ(events->events[0].wanted, 1U);
    EXPECT_EQ(events->head, last_);
}

}  // namespace
}  // namespace crnpd::delivery
