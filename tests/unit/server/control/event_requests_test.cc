// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/event_requests.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "server/control/dispatch.h"
#include "tests/support/log_lines.h"
#include "tests/unit/server/control/scripted_operations.h"

namespace crnpd::control {
namespace {

using Lines = std::vector<nlohmann::json>;

class EventRequestsTest : public testing::Test {
protected:
    Lines ask(const std::string& request) {
        Lines answer;
        const auto write = [&](const std::string& line) {
            answer.push_back(nlohmann::json::parse(line));
            return answer.size() < mostLines;
        };
        dispatch(request, operations, {write, [] { return std::nullopt; }});
        return answer;
    }
    nlohmann::json publish(const std::string& what) {
        return ask(R"({"request":"publish","event":)" + what + "}").at(0);
    }
    nlohmann::json refusedWith(Error error) {
        operations.number = std::move(error);
        auto json = publish(R"({"class":"C","subclass":"S"})");
        EXPECT_EQ(json["ok"], false);
        return json;
    }
    void remember(Sequence sequence, std::size_t wanted, std::size_t delivered) {
        operations.last.last.push_back({sequence, std::make_shared<const Event>(event), wanted, delivered});
    }

    const Event event{"C", "S", "V", "P", {{"n", {"a", "b"}}}};
    support::LogLines lines;
    ScriptedOperations operations;
    std::size_t mostLines = 10'000;
};

TEST_F(EventRequestsTest, AnEventIsPublishedAsItStandsThere) {
    EXPECT_EQ(publish(R"({"class":"C","subclass":"S","vendor":"V","publisher":"P",)"
                      R"("pairs":[{"name":"n","values":["a","b"]}]})"),
              (nlohmann::json{{"ok", true}, {"sequence", 17}}));
    EXPECT_EQ(operations.published, std::vector{event});
}

TEST_F(EventRequestsTest, WhatIsMissingIsTheServersOrNothing) {
    publish(R"({"class":"C","subclass":"S"})");
    publish(R"({"class":"C","subclass":"S","vendor":null,"publisher":null,"pairs":null})");
    const Event usual{"C", "S", "", "rgm", {}};
    EXPECT_EQ(operations.published, (std::vector{usual, usual}));
}

TEST_F(EventRequestsTest, APublicationIsLogged) {
    spdlog::default_logger()->set_level(spdlog::level::debug);
    publish(R"({"class":"C","subclass":"S"})");
    EXPECT_EQ(lines.count("CRNPD-CTL-009"), 1U);
    refusedWith({ErrorCode::busy, "not active"});
    EXPECT_EQ(lines.count("CRNPD-CTL-009"), 1U);
}

TEST_F(EventRequestsTest, WhatHasAnotherShapeIsRefusedWithWhatWasExpected) {
    for (const auto* const wrong :
         {"7", "[]", "{}", R"({"class":"C"})", R"({"subclass":"S"})", R"({"class":7,"subclass":"S"})",
          R"({"class":"C","subclass":"S","vendor":7})", R"({"class":"C","subclass":"S","publisher":[]})",
          R"({"class":"C","subclass":"S","pairs":{}})", R"({"class":"C","subclass":"S","pairs":["n"]})",
          R"({"class":"C","subclass":"S","pairs":[{"values":["v"]}]})",
          R"({"class":"C","subclass":"S","pairs":[{"name":"n"}]})",
          R"({"class":"C","subclass":"S","pairs":[{"name":"n","values":"v"}]})",
          R"({"class":"C","subclass":"S","pairs":[{"name":"n","values":[]}]})",
          R"({"class":"C","subclass":"S","pairs":[{"name":"n","values":[1]}]})"}) {
        const auto json = publish(wrong);
        EXPECT_EQ(json["ok"], false) << wrong;
        EXPECT_EQ(json["code"], "INVALID") << wrong;
        EXPECT_NE(json["error"].get<std::string>().find("was expected"), std::string::npos) << wrong;
    }
    EXPECT_TRUE(operations.published.empty());
}

TEST_F(EventRequestsTest, WhatNoDocumentCanHoldIsRefused) {
    EXPECT_EQ(publish(R"({"class":"C","subclass":"a\u0001b"})")["code"], "INVALID");
    EXPECT_EQ(publish("{\"class\":\"C\",\"subclass\":\"\xff\"}")["code"], "INVALID");
    EXPECT_TRUE(operations.published.empty());
}

TEST_F(EventRequestsTest, OnlyWhereNobodyKnowsTheRefusalSaysSo) {
    EXPECT_EQ(refusedWith({ErrorCode::superseded, "another server leads"})["unknown"], true);
    for (const auto code : {ErrorCode::busy, ErrorCode::noSpace, ErrorCode::io}) {
        const auto json = refusedWith({code, "because"});
        EXPECT_FALSE(json.contains("unknown"));
        EXPECT_EQ(json["error"], "because");
    }
    EXPECT_EQ(refusedWith({ErrorCode::busy, ""})["code"], "STANDBY");
}

TEST_F(EventRequestsTest, TheLastEventsAreListedBehindWhatIsTrueOfAll) {
    remember(16, 3, 2);
    operations.last.head = 18;
    operations.last.mark = 15;
    operations.last.laggards = 1;
    operations.last.behind = 2;
    const auto answer = ask(R"({"request":"events"})");
    ASSERT_EQ(answer.size(), 3U);
    EXPECT_EQ(answer[0],
              (nlohmann::json{{"ok", true}, {"head", 18}, {"mark", 15}, {"laggards", 1}, {"behind", 2}}));
    EXPECT_EQ(answer[1], (nlohmann::json{{"sequence", 16},
                                         {"class", "C"},
                                         {"subclass", "S"},
                                         {"vendor", "V"},
                                         {"publisher", "P"},
                                         {"pairs", {{{"name", "n"}, {"values", {"a", "b"}}}}},
                                         {"wanted", 3},
                                         {"delivered", 2}}));
    EXPECT_EQ(answer[2], (nlohmann::json{{"end", true}, {"events", 1}}));
}

TEST_F(EventRequestsTest, SoManyEventsAreListedAsWereAskedFor) {
    for (Sequence number = 1; number <= 1500; ++number)
        remember(number, 0, 0);
    const auto count = [&](const std::string& request) { return ask(request).back()["events"]; };
    EXPECT_EQ(count(R"({"request":"events"})"), 20);
    EXPECT_EQ(count(R"({"request":"events","most":3})"), 3);
    EXPECT_EQ(count(R"({"request":"events","most":1000})"), 1000);
    EXPECT_EQ(count(R"({"request":"events","most":0})"), 0);
    for (const auto* const most : {"1001", "-1", "1.5", "\"3\"", "[]"}) {
        EXPECT_EQ(ask(std::string(R"({"request":"events","most":)") + most + "}").at(0)["code"], "INVALID")
            << most;
    }
}

TEST_F(EventRequestsTest, AListOfEventsStopsWhenNobodyListensAnyMore) {
    for (Sequence number = 1; number <= 20; ++number)
        remember(number, 0, 0);
    mostLines = 5;
    EXPECT_EQ(ask(R"({"request":"events"})").size(), 5U);
}

}  // namespace
}  // namespace crnpd::control
