// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/event_listener.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/tools/crnpctl/event_sender.h"

namespace crnpd::crnpctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

using End = EventSender::End;
using Verdict = EventListener::Verdict;

class EventListenerTest : public ::testing::Test {
protected:
    // Until so many documents or so many problems came; none: never for that.
    void run(std::size_t wantedDocuments, std::size_t wantedProblems = 0) {
        const auto ended = listener().run(
            stop.fd(), {.onDocument =
                            [&](const SocketAddress&, std::string_view document) {
                                documents.emplace_back(document);
                                if (onDocument) onDocument();
                                return documents.size() == wantedDocuments ? lastVerdict : Verdict::more;
                            },
                        .onProblem =
                            [&](std::string_view problem) {
                                problems.emplace_back(problem);
                                if (problems.size() == wantedProblems) stop.tell();
                            }});
        EXPECT_TRUE(ended);
    }

    EventListener& listener() {
        if (!listener_) {
            auto opened = EventListener::open(IpAddress::parse("127.0.0.1").value(), 0, limits);
            EXPECT_TRUE(opened) << opened.error().text;
            listener_.emplace(*std::move(opened));
        }
        return *listener_;
    }

    EventSender sender() { return EventSender(listener().address()); }

    EventListener::Limits limits;
    StopPipe stop;
    Verdict lastVerdict = Verdict::last;
    std::function<void()> onDocument;
    std::vector<std::string> documents;
    std::vector<std::string> problems;

private:
    std::optional<EventListener> listener_;
};

TEST_F(EventListenerTest, AConnectionIsADocumentAndItsCloseTheAcknowledgement) {
    auto server = sender();
    server.deliver("<a/>");
    run(1);
    EXPECT_THAT(documents, ElementsAre("<a/>"));
    EXPECT_EQ(server.end(), End::acknowledged);
    EXPECT_THAT(problems, IsEmpty());
}

TEST_F(EventListenerTest, ADocumentInPiecesIsOneDocumentWhateverComesBetween) {
    auto slow = sender();
    slow.write("<a>");
    auto fast = sender();
    fast.deliver("<b/>");
    onDocument = [&] {
        if (documents.size() == 1) slow.deliver("</a>");
    };
    run(2);
    EXPECT_THAT(documents, ElementsAre("<b/>", "<a></a>"));
    EXPECT_EQ(fast.end(), End::acknowledged);
    EXPECT_EQ(slow.end(), End::acknowledged);
}

TEST_F(EventListenerTest, ADocumentThatIsTooLongIsResetAndReported) {
    limits.bytes = 10;
    auto tooLong = sender();
    tooLong.deliver(std::string(11, 'x'));
    run(0, 1);
    EXPECT_THAT(problems, ElementsAre(HasSubstr("127.0.0.1:")));
    EXPECT_THAT(problems[0], HasSubstr("longer than 10 bytes"));
    EXPECT_EQ(tooLong.end(), End::reset);
}

TEST_F(EventListenerTest, ADocumentOfTheGreatestLengthIsTaken) {
    limits.bytes = 10;
    auto server = sender();
    server.deliver(std::string(10, 'y'));
    run(1);
    EXPECT_EQ(server.end(), End::acknowledged);
}

TEST_F(EventListenerTest, WhoDoesNotComeToAnEndIsResetAndReported) {
    limits.time = 1ms;
    auto server = sender();
    server.write("<a>");
    run(0, 1);
    EXPECT_THAT(problems, ElementsAre(HasSubstr("time limit")));
    EXPECT_EQ(server.end(), End::reset);
}

TEST_F(EventListenerTest, MoreConnectionsThanTheLimitWaitForTheirTurn) {
    limits.connections = 1;
    auto first = sender();
    auto second = sender();
    second.deliver("<b/>");
    first.deliver("<a/>");
    run(2);
    EXPECT_THAT(documents, ElementsAre("<a/>", "<b/>"));
}

TEST_F(EventListenerTest, StopResetsWhatIsHalfRead) {
    auto half = sender();
    half.write("<a>");
    auto whole = sender();
    whole.deliver("<b/>");
    onDocument = [this] { stop.tell(); };
    run(2);
    EXPECT_THAT(documents, ElementsAre("<b/>"));
    EXPECT_EQ(whole.end(), End::acknowledged);
    EXPECT_EQ(half.end(), End::reset);
}

TEST_F(EventListenerTest, WhatWasNotTakenIsNotAcknowledged) {
    lastVerdict = Verdict::refused;
    auto server = sender();
    server.deliver("<a/>");
    run(1);
    EXPECT_EQ(server.end(), End::reset);
}

TEST_F(EventListenerTest, WhoeverWaitsCanBeTurnedAway) {
    auto silent = sender();
    auto early = sender();
    early.deliver("<a/>");
    EXPECT_TRUE(listener().turnAway());
    EXPECT_EQ(silent.end(), End::reset);
    EXPECT_EQ(early.end(), End::reset);
}

TEST_F(EventListenerTest, AConnectionThatBreaksIsReported) {
    auto broken = sender();
    broken.write("<a>");
    broken.resetNow();
    run(0, 1);
    EXPECT_THAT(problems, ElementsAre(HasSubstr("reset")));
    EXPECT_THAT(documents, IsEmpty());
}

TEST_F(EventListenerTest, APortThatIsTakenIsExplained) {
    const auto port = listener().address().port;
    const auto second = EventListener::open(IpAddress::parse("127.0.0.1").value(), port, limits);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::busy);
    EXPECT_THAT(second.error().text, HasSubstr("ss -ltnp 'sport = :" + std::to_string(port) + "'"));
    EXPECT_THAT(second.error().text, HasSubstr("--port"));
}

TEST_F(EventListenerTest, AnAddressOfAnotherMachineIsExplained) {
    const auto elsewhere = EventListener::open(IpAddress::parse("192.0.2.1").value(), 0, limits);
    ASSERT_FALSE(elsewhere);
    EXPECT_EQ(elsewhere.error().code, ErrorCode::invalidArgument);
    EXPECT_THAT(elsewhere.error().text, HasSubstr("--address"));
}

TEST_F(EventListenerTest, WithoutAnAddressBothFamiliesAreHeard) {
    const auto everywhere = EventListener::open(std::nullopt, 0, limits);
    ASSERT_TRUE(everywhere) << everywhere.error().text;
    const auto port = everywhere->address().port;
    const EventSender v4({IpAddress::parse("127.0.0.1").value(), port});
    if (everywhere->address().ip.isV6()) {
        const EventSender v6({IpAddress::parse("::1").value(), port});
    }
}

}  // namespace
}  // namespace crnpd::crnpctl
