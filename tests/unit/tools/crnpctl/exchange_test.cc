// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/exchange.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/unit/tools/crnpctl/fake_server.h"

namespace crnpd::crnpctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

const std::string document = "<SC_CALLBACK_REG>...</SC_CALLBACK_REG>";

Answer ask(const FakeServer& server, const std::string& bytes, const ExchangeOptions& options = {}) {
    const auto answer = exchange(server.address(), bytes, options);
    EXPECT_TRUE(answer) << (answer ? "" : answer.error().text);
    return answer ? *answer : Answer{};
}

TEST(Exchange, SendsTheBytesAndReadsToTheEndOfFile) {
    FakeServer server({answering("the reply")});
    const auto answer = ask(server, document);
    EXPECT_TRUE(answer.connected);
    EXPECT_EQ(answer.bytes, "the reply");
    EXPECT_EQ(answer.problem, "");
    EXPECT_EQ(answer.source.text(), "127.0.0.1");
    EXPECT_THAT(server.requests(), ElementsAre(document));
}

TEST(Exchange, SplitsTheDocumentWithoutChangingIt) {
    FakeServer server({answering("the reply")});
    ExchangeOptions options;
    options.split = 1;
    EXPECT_EQ(ask(server, document, options).bytes, "the reply");
    EXPECT_THAT(server.requests(), ElementsAre(document));
}

TEST(Exchange, DoesNotHalfCloseUnlessItIsAskedTo) {
    const Turn afterEndOfFile = [](int connection) {
        auto request = readToEndOfFile(connection);
        write(connection, "the reply");
        return request;
    };
    FakeServer server({afterEndOfFile, afterEndOfFile});
    ExchangeOptions options;
    options.halfClose = true;
    EXPECT_EQ(ask(server, document, options).bytes, "the reply");
    options.halfClose = false;
    options.timeout = 100ms;
    const auto answer = ask(server, document, options);
    EXPECT_EQ(answer.bytes, "");
    EXPECT_THAT(answer.problem, HasSubstr("time limit"));
}

TEST(Exchange, ReadsAnEarlyReplyThoughNobodyTakesTheDocument) {
    FakeServer server({[](int connection) {
        write(connection, "the reply");
        ::shutdown(connection, SHUT_WR);
        return readToEndOfFile(connection);
    }});
    const auto answer = ask(server, std::string(32U << 20U, 'x'));
    EXPECT_EQ(answer.bytes, "the reply");
    EXPECT_EQ(answer.problem, "");
}

TEST(Exchange, KeepsWhatCameBeforeAReset) {
    FakeServer server({resetting("the reply")});
    const auto answer = ask(server, document);
    EXPECT_TRUE(answer.connected);
    EXPECT_EQ(answer.bytes, "the reply");
    EXPECT_THAT(answer.problem, HasSubstr("reset"));
}

TEST(Exchange, ARefusedConnectionHasSentNothing) {
    const DeadAddress nobody;
    const auto answer = exchange(nobody.address(), document, {});
    ASSERT_TRUE(answer);
    EXPECT_FALSE(answer->connected);
    EXPECT_THAT(answer->problem, HasSubstr("refused"));
}

TEST(Exchange, StopsReadingAnEndlessAnswer) {
    FakeServer server({[](int connection) {
        const std::string chatter(65'536, 'x');
        // Until the client has gone.
        while (::send(connection, chatter.data(), chatter.size(), MSG_NOSIGNAL) > 0) {
        }
        return std::string();
    }});
    const auto answer = ask(server, document);
    EXPECT_LE(answer.bytes.size(), Answer::longest + 65'536);
    EXPECT_THAT(answer.problem, HasSubstr("longer"));
}

TEST(Exchange, ComesFromTheSourceAddressThatIsAskedFor) {
    FakeServer server({[](int connection) {
        sockaddr_storage peer{};
        socklen_t length = sizeof(peer);
        EXPECT_EQ(::getpeername(connection, reinterpret_cast<sockaddr*>(&peer), &length), 0);
        write(connection, SocketAddress::from(peer).ip.text());
        return readUntil(connection, endOfDocument);
    }});
    ExchangeOptions options;
    options.source = *IpAddress::parse("127.0.0.9");
    const auto answer = ask(server, document, options);
    EXPECT_EQ(answer.bytes, "127.0.0.9");
    EXPECT_EQ(answer.source.text(), "127.0.0.9");
}

TEST(Exchange, ASourceAddressOfAnotherMachineIsAnError) {
    const DeadAddress nobody;
    ExchangeOptions options;
    options.source = *IpAddress::parse("192.0.2.1");
    const auto answer = exchange(nobody.address(), document, options);
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().text, HasSubstr("192.0.2.1"));
}

}  // namespace
}  // namespace crnpd::crnpctl
