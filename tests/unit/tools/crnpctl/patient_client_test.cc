// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/patient_client.h"

#include <deque>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/xml/reply.h"
#include "common/xml/runtime.h"
#include "tests/unit/tools/crnpctl/fake_server.h"

namespace crnpd::crnpctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace std::chrono_literals;

const std::string document = "<SC_CALLBACK_REG>...</SC_CALLBACK_REG>";
const std::string ok = xml::writeReply({StatusCode::ok, "done"});
const std::string retry = xml::writeReply({StatusCode::retry, "later"});

SocketAddress at(const std::string& text) {
    return *SocketAddress::parse(text);
}

Answer unconnected() {
    return {.connected = false, .source = {}, .bytes = {}, .problem = "Connection refused"};
}
Answer replied(std::string bytes, const std::string& source = "127.0.0.1") {
    return {.connected = true, .source = *IpAddress::parse(source), .bytes = std::move(bytes), .problem = {}};
}
Answer unanswered(const std::string& source = "127.0.0.1") {
    return replied("", source);
}

class PatientClientTest : public ::testing::Test {
protected:
    Result<FinalReply> send() {
        const Outside outside{
            .resolve = [this]() -> Result<std::vector<SocketAddress>> {
                if (resolverErrors.empty()) return addresses;
                const auto error = resolverErrors.front();
                resolverErrors.pop_front();
                return error;
            },
            .exchange = [this](const SocketAddress& server, std::string_view) -> Result<Answer> {
                asked.push_back(server.text());
                if (answers.empty()) return unconnected();
                auto answer = answers.front();
                answers.pop_front();
                return answer;
            },
            .pause = [this](std::chrono::milliseconds pause) { pauses.push_back(pause); },
        };
        return PatientClient(patience, outside, notes).send(document);
    }

    // The same against a server with real sockets.
    Result<FinalReply> sendTo(const FakeServer& server) {
        ExchangeOptions options;
        options.timeout = timeout;
        const Outside outside{
            .resolve = [&] { return std::vector{server.address()}; },
            .exchange = [&](const SocketAddress& address,
                            std::string_view bytes) { return exchange(address, bytes, options); },
            .pause = [this](std::chrono::milliseconds pause) { pauses.push_back(pause); },
        };
        return PatientClient(patience, outside, notes).send(document);
    }

    static StatusCode codeOf(const Result<FinalReply>& reply) {
        EXPECT_TRUE(reply) << (reply ? "" : reply.error().text);
        return reply ? reply->reply.code : StatusCode::systemError;
    }

    const xml::Runtime runtime;
    Patience patience;
    std::chrono::milliseconds timeout{10'000};
    std::vector<SocketAddress> addresses{at("127.0.0.1:1")};
    std::deque<Error> resolverErrors;
    std::deque<Result<Answer>> answers;
    std::vector<std::string> asked;
    std::vector<std::chrono::milliseconds> pauses;
    std::ostringstream notes;
};

TEST_F(PatientClientTest, AReplyAtOnceIsReturnedWithItsDocument) {
    answers = {replied(ok)};
    const auto reply = send();
    EXPECT_EQ(codeOf(reply), StatusCode::ok);
    EXPECT_EQ(reply->reply.text, "done");
    EXPECT_EQ(reply->document, ok);
    EXPECT_THAT(pauses, IsEmpty());
    EXPECT_EQ(notes.str(), "");
}

TEST_F(PatientClientTest, ARefusalByTheServerIsFinal) {
    answers = {replied(xml::writeReply({StatusCode::fail, "not allowed"})), replied(ok)};
    EXPECT_EQ(codeOf(send()), StatusCode::fail);
    EXPECT_EQ(asked.size(), 1U);
}

TEST_F(PatientClientTest, TheSameBytesGoAgainUntilARealServerReplies) {
    timeout = 200ms;
    patience.attempts = 6;
    FakeServer server({resetting(), silent(), answering(""), answering(ok.substr(0, ok.size() / 2)),
                       answering(retry), answering(ok)});
    EXPECT_EQ(codeOf(sendTo(server)), StatusCode::ok);
    EXPECT_THAT(server.requests(), ElementsAre(document, document, document, document, document, document));
    EXPECT_THAT(pauses, ElementsAre(500ms, 1s, 2s, 4s, 8s));
}

TEST_F(PatientClientTest, EachRepetitionIsExplained) {
    FakeServer server({resetting(), answering(ok.substr(0, 30)), answering(retry), answering(ok)});
    EXPECT_EQ(codeOf(sendTo(server)), StatusCode::ok);
    EXPECT_THAT(notes.str(),
                HasSubstr("attempt 1 of 5: " + server.address().text() + ": no reply: Connection reset"));
    EXPECT_THAT(notes.str(),
                HasSubstr("attempt 2 of 5: " + server.address().text() + ": 30 bytes that are no whole"));
    EXPECT_THAT(notes.str(), HasSubstr("attempt 3 of 5: " + server.address().text() + ": RETRY: later"));
    EXPECT_THAT(notes.str(), HasSubstr("the same message goes again in 2.0 s"));
}

TEST_F(PatientClientTest, EveryCutOfAReplyIsNoReply) {
    patience.attempts = 1;
    for (std::size_t length = 0; length < ok.size(); ++length) {
        answers = {replied(ok.substr(0, length))};
        const auto reply = send();
        ASSERT_FALSE(reply) << length;
        EXPECT_EQ(reply.error().code, ErrorCode::io) << length;
    }
}

TEST_F(PatientClientTest, AWholeReplyCountsHoweverTheConnectionEnded) {
    FakeServer server({resetting(ok)});
    EXPECT_EQ(codeOf(sendTo(server)), StatusCode::ok);
    EXPECT_THAT(notes.str(), HasSubstr("behind the reply"));
}

TEST_F(PatientClientTest, ThePauseDoublesUpToItsLimit) {
    patience.attempts = 8;
    EXPECT_FALSE(send());
    EXPECT_THAT(pauses, ElementsAre(500ms, 1s, 2s, 4s, 8s, 10s, 10s));
}

TEST_F(PatientClientTest, ARetryThatLastsIsTheReply) {
    patience.attempts = 2;
    answers = {replied(retry), replied(retry), replied(ok)};
    EXPECT_EQ(codeOf(send()), StatusCode::retry);
    EXPECT_EQ(asked.size(), 2U);
}

TEST_F(PatientClientTest, WhoNeverReachedAServerIsToldThatNothingHappened) {
    const auto reply = send();
    ASSERT_FALSE(reply);
    EXPECT_THAT(reply.error().text, HasSubstr("no server acted on the message"));
}

TEST_F(PatientClientTest, WhoGotNoReplyIsToldThatTheMessageMayCount) {
    patience.attempts = 2;
    answers = {unanswered(), unconnected()};
    const auto reply = send();
    ASSERT_FALSE(reply);
    EXPECT_THAT(reply.error().text, HasSubstr("may have processed the message or not"));
}

TEST_F(PatientClientTest, TheOldSpellingsOfTheCodesAreUnderstood) {
    const auto withCode = [](const std::string& code) {
        return replied("<SC_REPLY VERSION=\"1.0\" STATUS_CODE=\"" + code +
                       "\"><SC_STATUS_MSG>m</SC_STATUS_MSG></SC_REPLY>");
    };
    answers = {withCode("LOW_RESOURCES"), withCode("INVALID_XML")};
    EXPECT_EQ(codeOf(send()), StatusCode::lowResource);
    EXPECT_EQ(codeOf(send()), StatusCode::invalid);
}

TEST_F(PatientClientTest, AnAnswerThatIsNoReplyIsFinalAndInvalid) {
    for (const auto* const strange :
         {"<SC_REPLY VERSION=\"1.0\" STATUS_CODE=\"PERHAPS\"><SC_STATUS_MSG/></SC_REPLY>", "<html/>"}) {
        answers = {replied(strange)};
        asked.clear();
        const auto reply = send();
        ASSERT_FALSE(reply) << strange;
        EXPECT_EQ(reply.error().code, ErrorCode::invalid) << strange;
        EXPECT_EQ(asked.size(), 1U);
    }
}

TEST_F(PatientClientTest, AnAddressThatRefusesGivesWayToTheNextWithoutAPause) {
    addresses = {at("[::1]:1"), at("127.0.0.1:1")};
    answers = {unconnected(), replied(ok)};
    EXPECT_EQ(codeOf(send()), StatusCode::ok);
    EXPECT_THAT(asked, ElementsAre("[::1]:1", "127.0.0.1:1"));
    EXPECT_THAT(pauses, IsEmpty());
}

TEST_F(PatientClientTest, AfterARetryAnotherNodeIsAskedFirst) {
    addresses = {at("127.0.0.1:1"), at("127.0.0.2:1"), at("127.0.0.3:1")};
    answers = {replied(retry), replied(retry), replied(retry), replied(ok)};
    EXPECT_EQ(codeOf(send()), StatusCode::ok);
    EXPECT_THAT(asked, ElementsAre("127.0.0.1:1", "127.0.0.2:1", "127.0.0.3:1", "127.0.0.1:1"));
}

TEST_F(PatientClientTest, AnUnansweredMessageKeepsItsSourceAddressIfItCan) {
    addresses = {at("127.0.0.1:1"), at("[::1]:1"), at("127.0.0.2:1")};
    answers = {unanswered(), unanswered(), replied(ok)};
    EXPECT_EQ(codeOf(send()), StatusCode::ok);
    EXPECT_THAT(asked, ElementsAre("127.0.0.1:1", "127.0.0.2:1", "127.0.0.1:1"));
    EXPECT_THAT(notes.str(), Not(HasSubstr("two clients")));
}

TEST_F(PatientClientTest, AChangeOfTheSourceAddressIsPointedOut) {
    addresses = {at("127.0.0.1:1"), at("[::1]:1")};
    answers = {unanswered(), unconnected(), replied(ok, "::1")};
    EXPECT_EQ(codeOf(send()), StatusCode::ok);
    EXPECT_THAT(notes.str(),
                HasSubstr("came from 127.0.0.1, this one from ::1: to the server these are two clients"));
}

TEST_F(PatientClientTest, AResolverThatIsBusyIsAskedAgainAndAnUnknownNameIsFinal) {
    resolverErrors = {{ErrorCode::busy, "try again"}, {ErrorCode::notFound, "no such name"}};
    const auto reply = send();
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().text, "no such name");
    EXPECT_EQ(pauses.size(), 1U);
}

TEST_F(PatientClientTest, WhatThisMachineCannotDoIsNotRepeated) {
    answers = {Error{ErrorCode::invalidArgument, "not our address"}};
    const auto reply = send();
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().text, "not our address");
    EXPECT_EQ(asked.size(), 1U);
}

}  // namespace
}  // namespace crnpd::crnpctl
