// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/net/connection.h"

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "common/address.h"
#include "server/net/listener.h"

namespace crnpd::net {
namespace {

// A connected pair over loopback TCP: a Unix pair has no resets.
class ConnectionTest : public testing::Test, private Connection::Handler {
protected:
    ConnectionTest() {
        const auto listener = ListenSocket::open(SocketAddress::parse("127.0.0.1:0").value()).value();
        sockaddr_storage name{};
        const auto length = listener->address().toSockaddr(name);
        peer = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(::connect(peer.fd(), reinterpret_cast<sockaddr*>(&name), length), 0);
        sendFromPeer("<");
        Acceptor acceptor(
            loop, listener, [] { return true; },
            [this](UniqueFd fd, const SocketAddress&) {
                accepted = std::move(fd);
                loop.stop();
            });
        loop.run();
        connection.emplace(loop, std::move(accepted), static_cast<Connection::Handler&>(*this));
    }

    bool onBytes(std::string_view bytes) override {
        received += bytes;
        if (received.size() < wanted) return true;
        if (running) loop.stop();
        return false;
    }
    void onEnd() override {
        ended = true;
        loop.stop();
    }
    void onClosed() override {
        closed = true;
        loop.stop();
    }

    void run() {
        running = true;
        loop.run();
    }

    void sendFromPeer(std::string_view text) const {
        ASSERT_EQ(::send(peer.fd(), text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    // What the peer reads, and the error that ends it ("" is an orderly end of file).
    std::pair<std::string, int> readByPeer() const {
        std::string all;
        std::array<char, 4096> bytes{};
        ssize_t length = 0;
        while ((length = ::recv(peer.fd(), bytes.data(), bytes.size(), 0)) > 0) {
            all.append(bytes.data(), static_cast<std::size_t>(length));
        }
        return {all, length < 0 ? errno : 0};
    }

    Loop loop;
    UniqueFd peer, accepted;
    std::optional<Connection> connection;
    std::vector<char> buffer = std::vector<char>(65536);
    std::size_t wanted = 1;
    std::string received;
    bool running = false;  // a stop of a loop that is not running would end its next run
    bool ended = false;
    bool closed = false;
};

TEST_F(ConnectionTest, ReadsWhatIsThereAtOnce) {
    connection->read(buffer);
    EXPECT_EQ(received, "<");
}

TEST_F(ConnectionTest, WaitsForMoreUntilThereIsEnough) {
    wanted = 4;
    connection->read(buffer);
    sendFromPeer("a/>");
    run();
    EXPECT_EQ(received, "<a/>");
}

TEST_F(ConnectionTest, TellsThatThePeerHasShutItsSide) {
    wanted = 100;
    connection->read(buffer);
    ::shutdown(peer.fd(), SHUT_WR);
    run();
    EXPECT_TRUE(ended);
}

TEST_F(ConnectionTest, TheReplyIsFollowedByAnOrderlyEnd) {
    connection->read(buffer);
    EXPECT_EQ(connection->reply("reply", true, buffer), Connection::Closing::done);
    EXPECT_EQ(readByPeer(), (std::pair<std::string, int>{"reply", 0}));
}

TEST_F(ConnectionTest, AnEarlyReplyDrainsSoThatNoResetEatsIt) {
    connection->read(buffer);
    EXPECT_EQ(connection->reply("too long", false, buffer), Connection::Closing::draining);
    sendFromPeer(std::string(100000, 'x'));
    EXPECT_EQ(readByPeer(), (std::pair<std::string, int>{"too long", 0}));
    ::shutdown(peer.fd(), SHUT_WR);
    run();
    EXPECT_TRUE(closed);
}

TEST_F(ConnectionTest, BytesBehindAWholeMessageAreDrainedToo) {
    connection->read(buffer);
    sendFromPeer("\n");
    EXPECT_EQ(connection->reply("reply", true, buffer), Connection::Closing::draining);
    EXPECT_EQ(readByPeer(), (std::pair<std::string, int>{"reply", 0}));
}

TEST_F(ConnectionTest, WhoSendsWithoutEndIsMetWithAReset) {
    connection->read(buffer);
    EXPECT_EQ(connection->reply("too long", false, buffer), Connection::Closing::draining);
    std::thread sender([this] {
        const std::string lump(65536, 'x');
        while (::send(peer.fd(), lump.data(), lump.size(), MSG_NOSIGNAL) > 0) {
        }
    });
    run();
    sender.join();
    EXPECT_TRUE(closed);
}

TEST_F(ConnectionTest, AReplyToAPeerThatIsGoneIsDropped) {
    connection->read(buffer);
    peer.reset();
    EXPECT_EQ(connection->reply("reply", true, buffer), Connection::Closing::done);
}

}  // namespace
}  // namespace crnpd::net
