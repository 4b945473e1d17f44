// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/listen_command.h"

#include <charconv>
#include <functional>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "common/xml/event_writer.h"
#include "common/xml/reply.h"
#include "tests/unit/tools/crnpctl/event_sender.h"
#include "tests/unit/tools/crnpctl/fake_server.h"
#include "tools/crnpctl/arguments.h"
#include "tools/crnpctl/event_listener.h"

namespace crnpd::crnpctl {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using End = EventSender::End;

const std::string ok = xml::writeReply({StatusCode::ok, "done"});
const std::string retry = xml::writeReply({StatusCode::retry, "later"});
const std::string event = xml::writeEvent({"C", "S", "v", "p", {{"n", {"1"}}}});

SocketAddress callbackIn(const std::string& request) {
    const std::string before = "PORT=\"";
    const auto at = request.find(before) + before.size();
    std::uint16_t port = 0;
    std::from_chars(request.data() + at, request.data() + request.size(), port);
    return {*IpAddress::parse("127.0.0.1"), port};
}

// `crnpctl listen` against a server in a thread of its own.
class ListenTest : public ::testing::Test {
protected:
    using Deed = std::function<void(const SocketAddress& client)>;

    // Answers, closes, and then does something.
    static Turn answeringThen(std::string answer, Deed deed) {
        return [answer = std::move(answer), deed = std::move(deed)](int connection) {
            auto request = readUntil(connection, endOfDocument);
            write(connection, answer);
            ::shutdown(connection, SHUT_RDWR);
            deed(callbackIn(request));
            return request;
        };
    }

    // Does something first.
    static Turn answeringAfter(Deed deed, std::string answer) {
        return [answer = std::move(answer), deed = std::move(deed)](int connection) {
            auto request = readUntil(connection, endOfDocument);
            deed(callbackIn(request));
            write(connection, answer);
            return request;
        };
    }

    static Turn leaving(std::string answer = ok) {
        return answering(std::move(answer), R"(REG_TYPE="REMOVE_CLIENT" VERSION="1.0"/>)");
    }

    Deed delivering(std::vector<std::string> documents) {
        return [this, documents = std::move(documents)](const SocketAddress& client) {
            for (const auto& document : documents) {
                EventSender sender(client);
                sender.deliver(document);
                ends.push_back(sender.end());
            }
        };
    }
    Deed tellingToStop() {
        return [this](const SocketAddress&) { stop.tell(); };
    }

    int listen(std::vector<Turn> turns, const std::vector<std::string>& words = {}) {
        FakeServer server(std::move(turns));
        std::vector<std::string> all{"listen",  "--server", server.address().text(), "--port", "0",
                                     "--event", "C/S"};
        all.insert(all.end(), words.begin(), words.end());
        const int status = run(all);
        requests = server.requests();
        return status;
    }

    int run(const std::vector<std::string>& words) {
        const auto parsed = parseArguments(words, "0");
        const auto* const saying = std::get_if<Saying>(&parsed);
        EXPECT_EQ(saying, nullptr) << (saying == nullptr ? "" : saying->err);
        if (saying != nullptr) return -1;
        return static_cast<int>(crnpctl::run(
            std::get<Command>(parsed),
            {.in = in, .out = out, .err = err, .pause = [](auto) {}, .stop = [this] { return stop.fd(); }}));
    }

    StopPipe stop;
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    std::vector<End> ends;
    std::vector<std::string> requests;
};

TEST_F(ListenTest, RegistersPrintsAndUnregisters) {
    EXPECT_EQ(listen({answeringThen(ok, delivering({event})), leaving()}, {"--count", "1"}), 0);
    EXPECT_THAT(out.str(), EndsWith("Z C/S v p n=1\n"));
    EXPECT_THAT(ends, ::testing::ElementsAre(End::acknowledged));
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_THAT(requests[0], HasSubstr(R"(REG_TYPE="ADD_CLIENT")"));
    EXPECT_EQ(callbackIn(requests[1]), callbackIn(requests[0]));
}

TEST_F(ListenTest, SaysWhereItListensAndWhatTheServerAnswered) {
    EXPECT_EQ(listen({answeringThen(ok, tellingToStop()), leaving()}), 0);
    EXPECT_THAT(err.str(), StartsWith("crnpctl: listening on "));
    EXPECT_THAT(err.str(),
                HasSubstr(":" + std::to_string(callbackIn(requests.at(0)).port) + " (all addresses)\n"));
    EXPECT_THAT(err.str(), HasSubstr("\ncrnpctl: registered at 127.0.0.1:"));
    EXPECT_THAT(err.str(), HasSubstr(": OK: done\ncrnpctl: unregistered at 127.0.0.1:"));
}

TEST_F(ListenTest, TheFormIsChosen) {
    EXPECT_EQ(listen({answeringThen(ok, delivering({event})), leaving()}, {"--count", "1", "--xml"}), 0);
    EXPECT_EQ(out.str(), event + "\n");
    out.str("");
    EXPECT_EQ(listen({answeringThen(ok, delivering({event})), leaving()}, {"--count", "1", "--json"}), 0);
    EXPECT_THAT(out.str(), HasSubstr(R"("pairs":[{"name":"n","values":["1"]}]})"));
}

TEST_F(ListenTest, WhatCannotBeReadIsReportedAndNotTheEnd) {
    EXPECT_EQ(
        listen({answeringThen(ok, delivering({"garbage\x1b", "", event})), leaving()}, {"--count", "1"}), 0);
    EXPECT_THAT(err.str(), HasSubstr("127.0.0.1:"));
    EXPECT_THAT(err.str(), HasSubstr("no event that can be read"));
    EXPECT_THAT(err.str(), Not(HasSubstr("\x1b")));
    EXPECT_THAT(out.str(), EndsWith("Z C/S v p n=1\n"));
    EXPECT_THAT(ends, ::testing::ElementsAre(End::acknowledged, End::acknowledged, End::acknowledged));
}

TEST_F(ListenTest, AnEventBeforeTheReplyIsResetWithoutAWord) {
    EXPECT_EQ(listen({answeringAfter(delivering({event}), retry), answeringThen(ok, delivering({event})),
                      leaving()},
                     {"--count", "1"}),
              0);
    EXPECT_THAT(ends, ::testing::ElementsAre(End::reset, End::acknowledged));
    EXPECT_EQ(err.str().find(std::to_string(callbackIn(requests.at(0)).port)),
              err.str().rfind(std::to_string(callbackIn(requests.at(0)).port)));
}

TEST_F(ListenTest, ARefusedRegistrationIsTheExitStatus) {
    EXPECT_EQ(listen({answering(xml::writeReply({StatusCode::fail, "not allowed"}))}), 7);
    EXPECT_THAT(err.str(), HasSubstr("FAIL: not allowed"));
    EXPECT_EQ(out.str(), "");
    EXPECT_EQ(requests.size(), 1U);
}

TEST_F(ListenTest, NoServerIsExitStatusOne) {
    const DeadAddress nobody;
    EXPECT_EQ(run({"listen", "--server", nobody.address().text(), "--port", "0", "--attempts", "1"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("not registered: "));
}

TEST_F(ListenTest, APortThatIsTakenIsSaidBeforeTheServerIsAsked) {
    const auto other = EventListener::open(std::nullopt, 0, {});
    ASSERT_TRUE(other);
    EXPECT_EQ(run({"listen", "--port", std::to_string(other->address().port)}), 1);
    EXPECT_THAT(err.str(), HasSubstr("another program has this port"));
}

TEST_F(ListenTest, StoppedBeforeTheServerHeardOfItNothingIsTakenBack) {
    stop.tell();
    EXPECT_EQ(listen({}), 0);
    EXPECT_THAT(err.str(), HasSubstr("before the server heard"));
}

TEST_F(ListenTest, StoppedWhileItWaitsForTheReplyItUnregisters) {
    const auto hanging = [this](int connection) {
        auto request = readUntil(connection, endOfDocument);
        stop.tell();
        return request + readToEndOfFile(connection);
    };
    EXPECT_EQ(listen({hanging, leaving()}), 0);
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_THAT(requests[1], HasSubstr("REMOVE_CLIENT"));
}

TEST_F(ListenTest, StoppedBetweenTwoAttemptsItUnregisters) {
    EXPECT_EQ(listen({answeringAfter(tellingToStop(), retry), leaving()}), 0);
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_THAT(requests[1], HasSubstr("REMOVE_CLIENT"));
}

TEST_F(ListenTest, StoppedOnceMoreItEndsAtOnce) {
    const auto hanging = [this](int connection) {
        auto request = readUntil(connection, "/>");
        stop.tell();
        return request + readToEndOfFile(connection);
    };
    EXPECT_EQ(listen({answeringThen(ok, tellingToStop()), hanging}), 1);
    EXPECT_THAT(err.str(), HasSubstr("not unregistered: stopped"));
    EXPECT_THAT(err.str(), HasSubstr("crnpctl unregister --port"));
}

TEST_F(ListenTest, ARefusedUnregistrationIsTheExitStatus) {
    EXPECT_EQ(
        listen({answeringThen(ok, tellingToStop()), leaving(xml::writeReply({StatusCode::fail, "who?"}))}),
        7);
    EXPECT_THAT(err.str(), HasSubstr("not unregistered at "));
}

TEST_F(ListenTest, AnOutputThatTakesNoMoreEndsItAndTheEventIsNotAcknowledged) {
    out.setstate(std::ios::badbit);
    listen({answeringThen(ok, delivering({event})), leaving()});
    EXPECT_THAT(ends, ::testing::ElementsAre(End::reset));
    EXPECT_EQ(requests.size(), 2U);
}

TEST_F(ListenTest, WithAnAddressItRegistersFromThere) {
    std::string source;
    const auto looking = [&](int connection) {
        auto request = readUntil(connection, endOfDocument);
        sockaddr_storage peer{};
        socklen_t length = sizeof(peer);
        EXPECT_EQ(::getpeername(connection, reinterpret_cast<sockaddr*>(&peer), &length), 0);
        source = SocketAddress::from(peer).ip.text();
        write(connection, xml::writeReply({StatusCode::fail, ""}));
        return request;
    };
    EXPECT_EQ(listen({looking}, {"--address", "127.0.0.7"}), 7);
    EXPECT_EQ(source, "127.0.0.7");
    EXPECT_THAT(err.str(), StartsWith("crnpctl: listening on 127.0.0.7:"));
}

TEST(ListenArguments, AreUnderstood) {
    const auto parsed = parseArguments({"listen", "--port", "0", "--address", "::1", "--event", "A",
                                        "--count", "3", "--xml", "--attempts", "2", "--timeout", "1s"},
                                       "0");
    const auto& command = std::get<ListenCommand>(std::get<Command>(parsed));
    EXPECT_EQ(command.message,
              (RegistrationMessage{RegistrationType::addClient, 0, {{"A", std::nullopt, {}}}}));
    EXPECT_EQ(command.address->text(), "::1");
    EXPECT_EQ(command.count, 3U);
    EXPECT_EQ(command.form, EventForm::xml);
    EXPECT_EQ(command.options.patience.attempts, 2U);
    EXPECT_EQ(command.options.exchange.timeout, std::chrono::seconds(1));
}

TEST(ListenArguments, WhatIsWrongIsAUsageError) {
    const std::vector<std::vector<std::string>> wrong{
        {"listen"},
        {"listen", "--port", "65536"},
        {"listen", "--port", "-1"},
        {"listen", "--port", "1", "--count", "0"},
        {"listen", "--port", "1", "--xml", "--json"},
        {"listen", "--port", "1", "--raw"},
        {"listen", "--port", "1", "--address", "host"},
    };
    for (const auto& words : wrong) {
        const auto parsed = parseArguments(words, "0");
        ASSERT_TRUE(std::holds_alternative<Saying>(parsed)) << words.back();
        EXPECT_EQ(std::get<Saying>(parsed).status, ExitStatus::usage) << words.back();
    }
}

TEST(ListenArguments, TheHelpHasAnExampleAndSaysHowItEnds) {
    const auto help = std::get<Saying>(parseArguments({"listen", "--help"}, "0")).out;
    EXPECT_THAT(help, HasSubstr("crnpctl listen --server"));
    EXPECT_THAT(help, HasSubstr("Ctrl-C"));
    EXPECT_THAT(help, HasSubstr("CLASS[/SUBCLASS]"));
    EXPECT_THAT(help, HasSubstr("Exit status:"));
}

}  // namespace
}  // namespace crnpd::crnpctl
