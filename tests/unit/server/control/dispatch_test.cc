// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/dispatch.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/dump/dump_writer.h"
#include "tests/unit/server/control/scripted_operations.h"

namespace crnpd::control {
namespace {

using Json = nlohmann::json;

class DispatchTest : public testing::Test {
protected:
    std::vector<Json> ask(const std::string& request) {
        std::vector<Json> lines;
        const auto write = [&](const std::string& line) {
            EXPECT_EQ(line.find('\n'), std::string::npos);
            lines.push_back(Json::parse(line));
            return lines.size() < mostLines;
        };
        const auto read = [&]() -> std::optional<std::string> {
            if (sent.empty()) return std::nullopt;
            auto line = sent.front();
            sent.erase(sent.begin());
            return line;
        };
        dispatch(request, operations, {write, read});
        return lines;
    }
    static std::vector<std::string> dumpOf(const Snapshot& rows) {
        std::vector<std::string> lines;
        EXPECT_TRUE(dump::write(rows, {"1", {}}, [&](const std::string& line) {
            lines.push_back(line);
            return true;
        }));
        return lines;
    }
    [[nodiscard]] Snapshot rows() const {
        return {5, {{7, client, "0:"}}, {{8, {client.ip, 1}, WallTime{}}}};
    }
    Json refusal(const std::string& request) {
        const auto lines = ask(request);
        EXPECT_EQ(lines.at(0)["ok"], false);
        return lines.at(0);
    }

    ScriptedOperations operations;
    std::size_t mostLines = 1000;
    std::vector<std::string> sent;  // behind the request
    CallbackAddress client = SocketAddress::parse("192.0.2.1:2001").value();
};

TEST_F(DispatchTest, StatusTellsTheRoleAndTheNumbers) {
    operations.now.role = {"active", "serving clients", 3, "", ""};
    operations.now.clients = 7;
    operations.now.replies = {{"OK", 5}};
    const auto json = ask(R"({"request":"status"})").at(0);
    EXPECT_EQ(json["ok"], true);
    EXPECT_EQ(json["role"], "active");
    EXPECT_EQ(json["term"], 3);
    EXPECT_EQ(json["why"], "");
    EXPECT_EQ(json["clients"], 7);
    EXPECT_EQ(json["replies"]["OK"], 5);
}

TEST_F(DispatchTest, ARoleSaysWhoIsActiveAndWhyThisServerIsNot) {
    operations.now.role = {"standby", "waiting to be elected", 2, "process 7 on n1", "standby: because"};
    EXPECT_EQ(ask(R"({"request":"role"})").at(0), (Json{{"ok", true},
                                                        {"role", "standby"},
                                                        {"reason", "waiting to be elected"},
                                                        {"term", 2},
                                                        {"leader", "process 7 on n1"},
                                                        {"why", "standby: because"}}));
}

TEST_F(DispatchTest, SteppingDownIsBegunOrRefused) {
    EXPECT_EQ(ask(R"({"request":"step-down"})").at(0), (Json{{"ok", true}}));
    operations.handOver = Error{ErrorCode::busy, "process 7 is active"};
    const auto json = refusal(R"({"request":"step-down"})");
    EXPECT_EQ(json["code"], "STANDBY");
    EXPECT_EQ(json["error"], "process 7 is active");
}

TEST_F(DispatchTest, AListOfClientsSaysWhereItEnds) {
    operations.all = std::vector<ClientSummary>{{client, 2}};
    const auto lines = ask(R"({"request":"clients"})");
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_EQ(lines[1], (Json{{"client", "192.0.2.1:2001"}, {"registrations", 2}}));
    EXPECT_EQ(lines[2], (Json{{"end", true}, {"clients", 1}}));
}

TEST_F(DispatchTest, AListStopsWhenNobodyListensAnyMore) {
    operations.all = std::vector<ClientSummary>(100, {client, 2});
    mostLines = 5;
    EXPECT_EQ(ask(R"({"request":"clients"})").size(), 5U);
}

TEST_F(DispatchTest, AClientIsShownWithItsEvents) {
    operations.details = ClientDetails{
        client, 3, {{"EC_Cluster", "ESC_cluster_rg_state", {{"rg_name", {"web"}}}}, {"X", std::nullopt, {}}},
        {},     0, std::nullopt};
    const auto json = ask(R"({"request":"client-show","client":"192.0.2.1:2001"})").at(0);
    EXPECT_EQ(json["events"][0]["subclass"], "ESC_cluster_rg_state");
    EXPECT_EQ(json["events"][0]["pairs"][0], (Json{{"name", "rg_name"}, {"values", {"web"}}}));
    EXPECT_TRUE(json["events"][1]["subclass"].is_null());
}

TEST_F(DispatchTest, AClientIsShownWithHowFarItsDeliveryIs) {
    Progress progress{12, 3, 2, false, false, {{WallTime{}, 13, "refused"}}, std::chrono::milliseconds(4500)};
    operations.details = ClientDetails{client, 3, {}, client.ip, 15, progress};
    const auto json = ask(R"({"request":"client-show","client":"192.0.2.1:2001"})").at(0);
    EXPECT_EQ(json["via"], "192.0.2.1");
    EXPECT_EQ(json["head"], 15);
    EXPECT_EQ(json["progress"],
              (Json{{"position", 12},
                    {"waiting", 3},
                    {"failures", 2},
                    {"under_way", false},
                    {"given_up", false},
                    {"next_in_ms", 4500},
                    {"attempts",
                     {{{"time", "1970-01-01T00:00:00.000Z"}, {"sequence", 13}, {"result", "refused"}}}}}));
}

TEST_F(DispatchTest, WhatNobodyKnowsOfAClientIsLeftOut) {
    operations.details = ClientDetails{client, 3, {}, {}, 15, std::nullopt};
    const auto json = ask(R"({"request":"client-show","client":"192.0.2.1:2001"})").at(0);
    EXPECT_FALSE(json.contains("via"));
    EXPECT_FALSE(json.contains("progress"));
    operations.details = ClientDetails{client, 3, {}, {}, 15, Progress{}};
    EXPECT_FALSE(ask(R"({"request":"client-show","client":"192.0.2.1:2001"})")
                     .at(0)["progress"]
                     .contains("next_in_ms"));
}

TEST_F(DispatchTest, WhatIsNotThereIsNotFound) {
    EXPECT_EQ(refusal(R"({"request":"client-show","client":"192.0.2.1:1"})")["code"], "NOT_FOUND");
}

TEST_F(DispatchTest, ARemovalAnswersWhatTheClientWouldHaveGot) {
    EXPECT_EQ(ask(R"({"request":"client-remove","client":"192.0.2.1:1"})").at(0)["ok"], true);
    operations.removal = Reply{StatusCode::fail, "no client is registered"};
    EXPECT_EQ(refusal(R"({"request":"client-remove","client":"192.0.2.1:1"})")["code"], "FAIL");
}

TEST_F(DispatchTest, AccessNamesTheEntryThatDecides) {
    operations.verdict = {true, "allow_hosts", "LOCAL", "192.0.2.0/24", "because"};
    const auto json = ask(R"({"request":"access-test","address":"192.0.2.9"})").at(0);
    EXPECT_EQ(json["allowed"], true);
    EXPECT_EQ(json["entry"], "LOCAL");
    EXPECT_EQ(json["network"], "192.0.2.0/24");
}

TEST_F(DispatchTest, ADumpComesWhole) {
    operations.whole = Dump{rows(), {}};
    const auto lines = ask(R"({"request":"dump"})");
    ASSERT_EQ(lines.size(), 5U);
    EXPECT_EQ(lines[0], (Json{{"ok", true}}));
    EXPECT_EQ(lines[1]["revision"], 5);
    EXPECT_EQ(lines[2]["client"], "192.0.2.1:2001");
    EXPECT_EQ(lines[4]["rows"], 2);
    operations.whole = Error{ErrorCode::busy, "not active"};
    EXPECT_EQ(refusal(R"({"request":"dump"})")["code"], "STANDBY");
}

TEST_F(DispatchTest, ADumpThatCameWholeIsRestored) {
    sent = dumpOf(rows());
    const auto lines = ask(R"({"request":"restore"})");
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_EQ(lines[0], (Json{{"ok", true}}));
    EXPECT_EQ(lines[1], (Json{{"working", true}}));
    EXPECT_EQ(lines[2], (Json{{"ok", true}, {"clients", 1}, {"removals", 1}}));
    ASSERT_TRUE(operations.restored);
    EXPECT_EQ(operations.restored->clients, rows().clients);
    EXPECT_EQ(operations.restored->removals, rows().removals);
}

TEST_F(DispatchTest, ADumpThatIsCutOrDamagedChangesNothing) {
    const auto whole = dumpOf(rows());
    for (std::size_t count = 0; count < whole.size(); ++count) {
        sent.assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(count));
        const auto lines = ask(R"({"request":"restore"})");
        EXPECT_EQ(lines.at(1)["ok"], false);
        EXPECT_EQ(lines.at(1)["code"], "INVALID");
    }
    sent = whole;
    sent[1].replace(sent[1].find("2001"), 4, "2002");
    EXPECT_TRUE(ask(R"({"request":"restore"})")
                    .at(1)["error"]
                    .get<std::string>()
                    .starts_with("nothing was changed: "));
    EXPECT_FALSE(operations.restored);
}

TEST_F(DispatchTest, ARestoreThatCannotBeginIsRefusedBeforeTheDumpIsRead) {
    operations.may = Error{ErrorCode::io, "3 clients are registered here"};
    sent = dumpOf(rows());
    EXPECT_EQ(refusal(R"({"request":"restore"})")["error"], "3 clients are registered here");
    EXPECT_EQ(sent.size(), 4U);
}

TEST_F(DispatchTest, ARestoreThatTheStoreRefusesIsTold) {
    operations.fill = Error{ErrorCode::noSpace, "disk full"};
    sent = dumpOf(rows());
    EXPECT_EQ(ask(R"({"request":"restore"})").at(2)["error"], "disk full");
}

TEST_F(DispatchTest, WhatIsNoRequestIsRefusedWithAWordAboutWhatIs) {
    for (const auto* const request :
         {"", "hello", "[]", "{}", R"({"request":5})", R"({"request":"reboot"})",
          R"({"request":"client-show"})", R"({"request":"client-remove","client":"nonsense"})",
          R"({"request":"access-test","address":"nonsense"})", R"({"request":"publish"})"}) {
        const auto json = refusal(request);
        EXPECT_EQ(json["code"], "INVALID") << request;
        EXPECT_FALSE(json["error"].get<std::string>().empty()) << request;
    }
}

}  // namespace
}  // namespace crnpd::control
