// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// crnpctl publish, events, and what client show tells of the delivery.
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "common/xml/event_writer.h"
#include "tests/unit/tools/crnpctl/fake_server.h"
#include "tools/crnpctl/arguments.h"
#include "tools/crnpctl/commands.h"

namespace crnpd::crnpctl {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using Words = std::vector<std::string>;

class EventCommandsTest : public ::testing::Test {
protected:
    void TearDown() override { std::filesystem::remove_all(folder); }

    int run(Words words) {
        out.str("");
        err.str("");
        words.insert(words.end(), {"--socket", socket});
        const auto parsed = parseArguments(words, "0");
        const auto* const saying = std::get_if<Saying>(&parsed);
        EXPECT_EQ(saying, nullptr) << (saying == nullptr ? "" : saying->err);
        if (saying != nullptr) return -1;
        return static_cast<int>(crnpctl::run(std::get<Command>(parsed), {in, out, err, [](auto) {}}));
    }
    int runAgainst(const std::string& answer, const Words& words) {
        FakeServer server(socket, {answering(answer, endOfLine)});
        const int status = run(words);
        request = server.requests().empty() ? "" : server.requests().front();
        std::filesystem::remove(socket);
        return status;
    }
    int publishAgainst(const std::string& answer) {
        return runAgainst(answer, {"publish", "--class", "C", "--subclass", "S"});
    }
    std::string fileWith(const std::string& document) const {
        auto path = folder + "/event.xml";
        std::ofstream(path, std::ios::binary) << document;
        return path;
    }
    static std::string makeFolder() {
        std::string path = std::filesystem::temp_directory_path() / "crnpctl-test-XXXXXX";
        EXPECT_NE(::mkdtemp(path.data()), nullptr);
        return path;
    }

    const Event event{"C", "S", "V", "P", {{"n", {"a", "b"}}}};
    const std::string published = "{\"ok\":true,\"sequence\":17}\n";
    const std::string eventRequest =
        R"({"event":{"class":"C","pairs":[{"name":"n","values":["a","b"]}],"publisher":"P","subclass":"S",)"
        R"("vendor":"V"},"request":"publish"})"
        "\n";
    const std::string folder = makeFolder();
    const std::string socket = folder + "/control.sock";
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    std::string request;
};

TEST_F(EventCommandsTest, AnEventOfTheCommandLineIsPublished) {
    EXPECT_EQ(runAgainst(published, {"publish", "--class", "C", "--subclass", "S", "--vendor", "V",
                                     "--publisher", "P", "--pair", "n=a,b"}),
              0);
    EXPECT_EQ(request, eventRequest);
    EXPECT_EQ(out.str(), "event 17 published\n");
    EXPECT_EQ(publishAgainst(published), 0);
    EXPECT_THAT(request, AllOf(HasSubstr(R"("publisher":"rgm")"), Not(HasSubstr("vendor"))));
}

TEST_F(EventCommandsTest, TheNumberMayBeJson) {
    EXPECT_EQ(runAgainst(published, {"publish", "--class", "C", "--subclass", "S", "--json"}), 0);
    EXPECT_EQ(out.str(), "{\"sequence\":17}\n");
}

TEST_F(EventCommandsTest, AnEventOfAFileIsPublished) {
    EXPECT_EQ(runAgainst(published, {"publish", "--file", fileWith(xml::writeEvent(event))}), 0);
    EXPECT_EQ(request, eventRequest);
    in.str(xml::writeEvent(event) + "\n");
    EXPECT_EQ(runAgainst(published, {"publish", "--file", "-"}), 0);
    EXPECT_EQ(request, eventRequest);
}

TEST_F(EventCommandsTest, AFaultInAFileIsNamedWithItsLineAndNothingIsSent) {
    const auto file = fileWith("<SC_EVENT\n CLASS='C'\n SUBCLASS='S' VENDOR='V'/>\n");
    EXPECT_EQ(run({"publish", "--file", file}), 2);
    EXPECT_THAT(err.str(), AllOf(StartsWith("crnpctl: " + file + ":"), HasSubstr("PUBLISHER")));
    in.str("\n\n<SC_EVENT></SC>");
    EXPECT_EQ(run({"publish", "--file", "-"}), 2);
    EXPECT_THAT(err.str(), StartsWith("crnpctl: standard input:3: "));
}

TEST_F(EventCommandsTest, AFileThatIsMissingOrTooLongIsNamed) {
    EXPECT_EQ(run({"publish", "--file", folder + "/none.xml"}), 2);
    EXPECT_THAT(err.str(), HasSubstr("none.xml: No such file"));
    EXPECT_EQ(run({"publish", "--file", fileWith(std::string(PublishCommand::longest + 1, ' '))}), 2);
    EXPECT_THAT(err.str(), HasSubstr("longer than 1 MiB"));
}

TEST_F(EventCommandsTest, ARefusalIsNoPublication) {
    EXPECT_EQ(publishAgainst("{\"ok\":false,\"error\":\"not active\",\"code\":\"STANDBY\"}\n"), 1);
    EXPECT_EQ(err.str(), "crnpctl: not active\n");
    EXPECT_EQ(run({"publish", "--class", "C", "--subclass", "S"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("is crnpd running?"));
}

TEST_F(EventCommandsTest, WhereNobodyKnowsItSaysSo) {
    for (const auto* const answer :
         {"{\"ok\":false,\"error\":\"another server leads\",\"code\":\"FAIL\",\"unknown\":true}\n", "",
          "{\"ok\":true,\"seq", "{\"ok\":true}\n", "nonsense\n"}) {
        EXPECT_EQ(publishAgainst(answer), 15) << answer;
        EXPECT_THAT(err.str(), HasSubstr("it is not known whether the event was published")) << answer;
        EXPECT_EQ(out.str(), "");
    }
}

// As the server says it.
const std::string eventsAnswer =
    R"({"ok":true,"head":18,"mark":15,"laggards":1,"behind":2})"
    "\n"
    R"({"sequence":9,"class":"C","subclass":"S","vendor":"V","publisher":"rgm","pairs":[],"wanted":0,"delivered":0})"
    "\n"
    R"({"sequence":16,"class":"EC_Cluster","subclass":"T","vendor":"V","publisher":"me",)"
    R"("pairs":[{"name":"n","values":["a","b"]},{"name":"ö","values":["ü"]}],"wanted":10,"delivered":8})"
    "\n"
    R"({"end":true,"events":2})"
    "\n";

TEST_F(EventCommandsTest, EventsAreATable) {
    EXPECT_EQ(runAgainst(eventsAnswer, {"events", "--width", "0"}), 0);
    EXPECT_EQ(request, "{\"most\":20,\"request\":\"events\"}\n");
    EXPECT_EQ(out.str(),
              "NUMBER  DELIVERED  EVENT         PUBLISHER  PAIRS\n"
              "     9        0/0  C/S           rgm\n"
              "    16       8/10  EC_Cluster/T  me         n=[a, b] ö=ü\n"
              "head 18; everybody has everything up to 15 (mark) but 1 laggard; behind: 2 clients\n");
}

TEST_F(EventCommandsTest, TheTableIsCutToTheWidth) {
    EXPECT_EQ(runAgainst(eventsAnswer, {"events", "--width", "55"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("  me         n=[a, b] ö…\n"));
    EXPECT_EQ(runAgainst(eventsAnswer, {"events", "--width", "56"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("  me         n=[a, b] ö=ü\n"));
    EXPECT_EQ(runAgainst(eventsAnswer, {"events", "--width", "1"}), 0);
    EXPECT_THAT(out.str(), StartsWith("…\n"));
}

TEST_F(EventCommandsTest, WhereEverybodyHasEverythingItSaysSo) {
    EXPECT_EQ(runAgainst("{\"ok\":true,\"head\":3,\"mark\":3}\n{\"end\":true,\"events\":0}\n", {"events"}),
              0);
    EXPECT_THAT(out.str(), EndsWith("head 3; everybody has everything (stored mark: 3)\n"));
}

TEST_F(EventCommandsTest, EventsAsJsonAreAsTheyCame) {
    EXPECT_EQ(runAgainst(eventsAnswer, {"events", "--json", "--most", "2"}), 0);
    EXPECT_EQ(request, "{\"most\":2,\"request\":\"events\"}\n");
    EXPECT_EQ(out.str(), eventsAnswer);
}

TEST_F(EventCommandsTest, EveryCutOfTheListOfEventsIsNoticed) {
    for (std::size_t length = 0; length < eventsAnswer.size(); ++length) {
        EXPECT_EQ(runAgainst(eventsAnswer.substr(0, length), {"events"}), 1) << length;
        EXPECT_EQ(out.str(), "") << length;
        EXPECT_THAT(err.str(), HasSubstr("cut off")) << length;
    }
}

TEST_F(EventCommandsTest, WhatPublishersWroteDoesNotReachTheTerminalAsItIs) {
    EXPECT_EQ(runAgainst("{\"ok\":true,\"head\":3,\"mark\":3}\n"
                         R"({"sequence":1,"class":"\u001b[2J","subclass":"\u0007","publisher":"\u001b",)"
                         R"("pairs":[{"name":"\u001b","values":["\n"]}]})"
                         "\n{\"end\":true,\"events\":1}\n",
                         {"events"}),
              0);
    EXPECT_EQ(out.str().find_first_of("\x1b\x07"), std::string::npos);
    EXPECT_THAT(out.str(), HasSubstr(R"(\x1b=\x0a)"));
}

TEST_F(EventCommandsTest, AnAnswerThatMakesNoSenseIsSaidToBeOne) {
    EXPECT_EQ(runAgainst("{\"ok\":true}\n", {"events"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("makes no sense"));
    EXPECT_EQ(runAgainst("{\"ok\":true,\"head\":1,\"mark\":1}\n{\"sequence\":1}\n", {"events"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("makes no sense"));
}

TEST_F(EventCommandsTest, AClientThatIsBehindIsShownWithItsAttempts) {
    EXPECT_EQ(
        runAgainst(R"({"ok":true,"client":"127.0.0.1:2001","id":7,"events":[],"via":"192.0.2.9","head":18,)"
                   R"("progress":{"position":15,"waiting":2,"failures":1,"under_way":false,"given_up":false,)"
                   R"("next_in_ms":12340,"attempts":[{"time":"2026-01-02T03:04:05.678Z","sequence":16,)"
                   R"("result":"refused\u001b"}]}})"
                   "\n",
                   {"client", "show", "127.0.0.1:2001"}),
        0);
    EXPECT_EQ(out.str(),
              "client        127.0.0.1:2001\n"
              "id            7\n"
              "events        none\n"
              "events from   192.0.2.9\n"
              "position      15 of 18, lag 3\n"
              "waiting       2 events\n"
              "failures      1 in a row\n"
              "next attempt  in 12.3 s\n"
              "attempts      the last 1\n"
              "  2026-01-02T03:04:05.678Z  event 16  refused\\x1b\n");
}

TEST_F(EventCommandsTest, TheNextAttemptIsToldInWords) {
    const auto shown = [&](const std::string& progress) {
        runAgainst(R"({"ok":true,"client":"c","events":[],"head":18,"progress":)" + progress + "}\n",
                   {"client", "show", "127.0.0.1:1"});
        return out.str();
    };
    EXPECT_THAT(shown(R"({"position":18})"), HasSubstr("next attempt  none needed\n"));
    EXPECT_THAT(shown(R"({"waiting":1})"), HasSubstr("next attempt  in its turn\n"));
    EXPECT_THAT(shown(R"({"waiting":1,"under_way":true})"), HasSubstr("next attempt  under way\n"));
    EXPECT_THAT(shown(R"({"waiting":1,"given_up":true})"), HasSubstr("being removed\n"));
    EXPECT_THAT(shown("null"), HasSubstr("did not answer in time\n"));
}

}  // namespace
}  // namespace crnpd::crnpctl
