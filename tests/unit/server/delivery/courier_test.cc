// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/courier.h"

#include <array>
#include <future>
#include <limits>

#include <gmock/gmock.h>

#include "tests/unit/server/delivery/client_sockets.h"

namespace crnpd::delivery {
namespace {

using testing::HasSubstr;

class CourierTest : public testing::Test {
protected:
    void begin(const SocketAddress& to, std::string text, const IpAddress& via = {}) {
        document_ = std::make_shared<const std::string>(std::move(text));
        ASSERT_TRUE(courier_.begin(1, {to, via, document_}));
    }
    // What became of it.
    std::string result() {
        courier_.settle();
        if (!ended_) loop_.run();
        return result_;
    }
    // Neither is ever read by its client: whichever ends does so for want of time.
    void beginTwo(std::chrono::milliseconds first, std::chrono::milliseconds second) {
        courier_.apply({first, false, 0});
        begin(client_.address(), "text");
        courier_.settle();
        courier_.apply({second, false, 0});
        ASSERT_TRUE(courier_.begin(2, {client_.address(), {}, document_}));
        courier_.settle();
    }
    // Which one ends first within the time; 0 if none does.
    std::uint64_t endsWithin(std::chrono::milliseconds time) {
        net::Timer limit(loop_, [this] { loop_.stop(); });
        limit.startOnce(time);
        endedTicket_ = 0;
        loop_.run();
        return endedTicket_;
    }

    net::Loop loop_;
    SystemClock clock_;
    std::uint64_t endedTicket_ = 0;
    int permissions_ = std::numeric_limits<int>::max();  // as many are given
    std::optional<Courier::End::How> how_;
    std::optional<std::string> ended_;
    std::string result_;
    std::shared_ptr<const std::string> document_;
    Courier courier_{loop_, clock_, SendRules{std::chrono::milliseconds(10'000), false, 0},
                     [this] { return --permissions_ >= 0; },
                     [this](std::uint64_t ticket, const Courier::End& end) {
                         endedTicket_ = ticket;
                         how_ = end.how;
                         result_ = end.trouble;
                         ended_ = result_;
                         loop_.stop();
                     }};
    // More than the sockets' buffers take.
    static std::string large() {
        std::string text;
        text.resize(10'000'000, 'x');
        return text;
    }
    ClientSocket client_;
};

TEST_F(CourierTest, BringsTheWholeDocument) {
    auto received = std::async(std::launch::async, [this] { return client_.receive(); });
    const auto text = large();
    begin(client_.address(), text);
    EXPECT_EQ(result(), "");
    EXPECT_TRUE(received.get() == text);
}

TEST_F(CourierTest, ComesFromTheAddressThatTheClientKnows) {
    begin(client_.address(), "text", *IpAddress::parse("127.0.0.7"));
    const UniqueFd peer = client_.accept();
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    ::getpeername(peer.fd(), reinterpret_cast<sockaddr*>(&from), &length);
    EXPECT_EQ(SocketAddress::from(from).ip.text(), "127.0.0.7");
}

TEST_F(CourierTest, ComesFromThePortThatTheServerListensOn) {
    const ClientSocket other;
    const std::uint16_t port = ClientSocket().address().port;
    courier_.apply({std::chrono::milliseconds(10'000), true, port});
    begin(client_.address(), "text", *IpAddress::parse("127.0.0.1"));
    const UniqueFd peer = client_.accept();
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    ::getpeername(peer.fd(), reinterpret_cast<sockaddr*>(&from), &length);
    EXPECT_EQ(SocketAddress::from(from).port, port);
}

TEST_F(CourierTest, IsRefusedWhereNobodyListens) {
    const SocketAddress address = client_.address();
    client_.close();
    begin(address, "text");
    EXPECT_THAT(result(), HasSubstr("refused"));
}

TEST_F(CourierTest, TimesOutWhenTheClientNeverReads) {
    courier_.apply({std::chrono::milliseconds(50), false, 0});
    begin(client_.address(), "text");
    EXPECT_THAT(result(), HasSubstr("timed out"));
}

TEST_F(CourierTest, AShorterTimeHoldsForWhatBeginsAfterwards) {
    beginTwo(std::chrono::hours(1), std::chrono::milliseconds(50));
    EXPECT_EQ(endsWithin(std::chrono::seconds(5)), 2U);
    EXPECT_THAT(result_, HasSubstr("after 50 ms"));
}

TEST_F(CourierTest, ALongerTimeTakesNothingFromWhatIsUnderWay) {
    beginTwo(std::chrono::milliseconds(50), std::chrono::hours(1));
    EXPECT_EQ(endsWithin(std::chrono::seconds(5)), 1U);
    EXPECT_THAT(result_, HasSubstr("after 50 ms"));
    EXPECT_EQ(courier_.underWay(), 1U);
}

TEST_F(CourierTest, WhatWasDroppedIsNotEndedByItsTimeEither) {
    beginTwo(std::chrono::milliseconds(50), std::chrono::milliseconds(100));
    courier_.drop(1);
    EXPECT_EQ(endsWithin(std::chrono::seconds(5)), 2U);
}

TEST_F(CourierTest, IsResetByAClientThatClosesWithoutReading) {
    begin(client_.address(), "text");
    client_.accept().reset();
    EXPECT_THAT(result(), HasSubstr("reset"));
}

TEST_F(CourierTest, IsNotDoneWhenTheClientClosesAmidALargeDocument) {
    begin(client_.address(), large());
    client_.accept().reset();
    EXPECT_THAT(result(), HasSubstr("reset"));
}

// Some would be over by chance, but never all; with looks without end all are.
TEST_F(CourierTest, LooksOnAtTheOnlyOneUnderWay) {
    constexpr int documents = 200;
    courier_.apply({std::chrono::milliseconds(10'000), false, 0, std::numeric_limits<int>::max()});
    auto client = std::async(std::launch::async, [this] {
        for (int i = 0; i < documents; ++i) {
            if (client_.receive() != "text") return i;
        }
        return documents;
    });
    const auto text = std::make_shared<const std::string>("text");
    int atOnce = 0;
    for (; atOnce < documents; ++atOnce) {
        ASSERT_TRUE(
            courier_.begin(static_cast<std::uint64_t>(atOnce) + 1, {client_.address(), IpAddress{}, text}));
        if (courier_.settle() != 1) break;
    }
    EXPECT_EQ(atOnce, documents);
    EXPECT_EQ(client.get(), documents);
}

// It would never come back.
TEST_F(CourierTest, DoesNotLookOnAtAClientThatSends) {
    courier_.apply({std::chrono::milliseconds(10'000), false, 0, std::numeric_limits<int>::max()});
    begin(client_.address(), "text");
    const UniqueFd peer = client_.accept();
    ASSERT_EQ(::send(peer.fd(), "thanks", 6, MSG_NOSIGNAL), 6);
    EXPECT_EQ(courier_.settle(), 0U);
    EXPECT_EQ(courier_.underWay(), 1U);
}

TEST_F(CourierTest, ThrowsAwayWhatTheClientAnswers) {
    begin(client_.address(), "text");
    auto client = std::async(std::launch::async, [this] {
        const UniqueFd peer = client_.accept();
        std::array<char, 16> buffer{};
        ::send(peer.fd(), "thanks", 6, MSG_NOSIGNAL);
        while (::recv(peer.fd(), buffer.data(), buffer.size(), 0) > 0) {
        }
    });
    EXPECT_EQ(result(), "");
}

TEST_F(CourierTest, WithoutPermissionNothingIsConnectedTo) {
    permissions_ = 0;
    begin(client_.address(), "text");
    EXPECT_EQ(courier_.settle(), 1U);
    EXPECT_EQ(how_, Courier::End::How::postponed);
    EXPECT_FALSE(client_.accept(0));
}

// As when a connection took so long that another server leads by now.
TEST_F(CourierTest, NothingIsSentToWhoeverIsConnectedWhenThePermissionEnds) {
    permissions_ = 1;
    begin(client_.address(), "text");
    EXPECT_EQ(courier_.settle(), 1U);
    EXPECT_EQ(how_, Courier::End::How::postponed);
    EXPECT_EQ(client_.receive(), "");
}

TEST_F(CourierTest, WhatIsBegunIsSentToItsEndWhateverBecomesOfThePermission) {
    permissions_ = 2;
    auto received = std::async(std::launch::async, [this] { return client_.receive(); });
    const auto text = large();
    begin(client_.address(), text);
    EXPECT_EQ(result(), "");
    EXPECT_EQ(how_, Courier::End::How::delivered);
    EXPECT_TRUE(received.get() == text);
}

TEST_F(CourierTest, WhatWasDroppedIsNotReported) {
    begin(client_.address(), "text");
    courier_.drop(1);
    EXPECT_EQ(courier_.settle(), 0U);
    EXPECT_EQ(courier_.underWay(), 0U);
    EXPECT_FALSE(ended_);
}

}  // namespace
}  // namespace crnpd::delivery
