// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/net/listener.h"

#include <optional>

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace crnpd::net {
namespace {

UniqueFd connectTo(const SocketAddress& address) {
    sockaddr_storage name{};
    const auto length = address.toSockaddr(name);
    UniqueFd fd(::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.fd(), reinterpret_cast<sockaddr*>(&name), length), 0);
    // The listener wakes for a message, not for a handshake.
    EXPECT_EQ(::send(fd.fd(), "x", 1, MSG_NOSIGNAL), 1);
    return fd;
}

class ListenerTest : public testing::Test {
protected:
    static std::shared_ptr<ListenSocket> listen(const std::string& address = "127.0.0.1:0") {
        return ListenSocket::open(SocketAddress::parse(address).value()).value();
    }

    Loop loop;
};

TEST_F(ListenerTest, PortZeroBecomesAPort) {
    const auto socket = listen();
    EXPECT_EQ(socket->configured().port, 0);
    EXPECT_NE(socket->address().port, 0);
}

TEST_F(ListenerTest, APortThatIsTakenIsNamedWithAWayOut) {
    const auto first = listen();
    const auto second = ListenSocket::open(first->address());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::busy);
    EXPECT_NE(second.error().text.find(first->address().text()), std::string::npos) << second.error().text;
}

TEST_F(ListenerTest, AnAddressThatHasNotArrivedYetMayBeListenedOn) {
    EXPECT_TRUE(ListenSocket::open(SocketAddress::parse("192.0.2.1:0").value()));
}

TEST_F(ListenerTest, AcceptsAndTellsWhoItIs) {
    const auto socket = listen();
    std::optional<SocketAddress> peer;
    const Acceptor acceptor(
        loop, socket, [] { return true; },
        [&](UniqueFd fd, const SocketAddress& who) {
            EXPECT_TRUE(fd);
            peer = who;
            loop.stop();
        });
    const auto client = connectTo(socket->address());
    loop.run();
    EXPECT_EQ(peer->ip.text(), "127.0.0.1");
}

TEST_F(ListenerTest, WhoMayNotBeAcceptedNowWaitsAndIsNotLost) {
    const auto socket = listen();
    int refusals = 0;
    bool accepted = false;
    const Acceptor acceptor(
        loop, socket, [&] { return ++refusals > 2; },
        [&](UniqueFd, const SocketAddress&) {
            accepted = true;
            loop.stop();
        });
    const auto client = connectTo(socket->address());
    loop.run();
    EXPECT_TRUE(accepted);
    EXPECT_GE(refusals, 3);
}

TEST_F(ListenerTest, DrainingAcceptsWhatIsWaiting) {
    const auto socket = listen();
    int accepted = 0;
    Acceptor acceptor(
        loop, socket, [] { return false; }, [&](UniqueFd, const SocketAddress&) { ++accepted; });
    const auto one = connectTo(socket->address());
    const auto two = connectTo(socket->address());
    acceptor.drain();
    EXPECT_EQ(accepted, 2);
}

}  // namespace
}  // namespace crnpd::net
