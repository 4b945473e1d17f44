// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/courier.h"

#include <array>
#include <future>

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

    net::Loop loop_;
    SystemClock clock_;
    std::optional<std::string> ended_;
    std::string result_;
    std::shared_ptr<const std::string> document_;
    Courier courier_{loop_, clock_, SendRules{std::chrono::milliseconds(10'000), false, 0},
                     [this](std::uint64_t /*ticket*/, std::string_view trouble) {
                         result_ = trouble;
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

// Some at least: how often depends on the machine.
TEST_F(CourierTest, DoesNotSleepOverAClientThatClosesAtOnce) {
    constexpr int documents = 500;
    auto client = std::async(std::launch::async, [this] {
        int received = 0;
        while (received < documents && client_.receive() == "text")
            ++received;
        return received;
    });
    std::size_t atOnce = 0;
    for (int i = 0; i < documents; ++i) {
        ended_.reset();
        begin(client_.address(), "text");
        atOnce += courier_.settle();
        loop_.run();  // the end has been reported, or will be, and stops it
        EXPECT_EQ(ended_, "");
    }
    EXPECT_EQ(client.get(), documents);
    EXPECT_GT(atOnce, 0U);
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

TEST_F(CourierTest, WhatWasDroppedIsNotReported) {
    begin(client_.address(), "text");
    courier_.drop(1);
    EXPECT_EQ(courier_.settle(), 0U);
    EXPECT_EQ(courier_.underWay(), 0U);
    EXPECT_FALSE(ended_);
}

}  // namespace
}  // namespace crnpd::delivery
