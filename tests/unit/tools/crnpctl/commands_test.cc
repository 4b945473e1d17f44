// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/commands.h"

#include <filesystem>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/xml/reply.h"
#include "common/xml/runtime.h"
#include "tests/unit/tools/crnpctl/fake_server.h"
#include "tools/crnpctl/arguments.h"

namespace crnpd::crnpctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Runs a command line in this process.
class CommandTest : public ::testing::Test {
protected:
    void TearDown() override { std::filesystem::remove_all(folder); }

    int run(const std::vector<std::string>& words) {
        out.str("");
        err.str("");
        const auto parsed = parseArguments(words, "0");
        const auto* const saying = std::get_if<Saying>(&parsed);
        EXPECT_EQ(saying, nullptr) << (saying == nullptr ? "" : saying->err);
        if (saying != nullptr) return -1;
        return static_cast<int>(crnpctl::run(std::get<Command>(parsed), {in, out, err, [](auto) {}}));
    }

    // A control command against a server that answers so.
    int runAgainst(const std::string& answer, std::vector<std::string> words) {
        FakeServer server(socket, {answering(answer, endOfLine)});
        words.insert(words.end(), {"--socket", socket});
        const int status = run(words);
        request = server.requests().empty() ? "" : server.requests().front();
        std::filesystem::remove(socket);
        return status;
    }

    static std::string makeFolder() {
        std::string path = std::filesystem::temp_directory_path() / "crnpctl-test-XXXXXX";
        EXPECT_NE(::mkdtemp(path.data()), nullptr);
        return path;
    }

    const xml::Runtime runtime;
    const std::string folder = makeFolder();
    const std::string socket = folder + "/control.sock";
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    std::string request;
};

// As a client of CRNP.

TEST_F(CommandTest, RegisterSendsTheMessageAndPrintsTheReply) {
    FakeServer server({answering(xml::writeReply({StatusCode::ok, "registered"}))});
    EXPECT_EQ(run({"register", "--server", server.address().text(), "--port", "2001", "--event", "C/S:n=v"}),
              0);
    EXPECT_EQ(out.str(), "OK: registered\n");
    EXPECT_EQ(err.str(), "");
    ASSERT_EQ(server.requests().size(), 1U);
    EXPECT_THAT(server.requests()[0], HasSubstr(R"(PORT="2001" REG_TYPE="ADD_CLIENT")"));
    EXPECT_THAT(server.requests()[0], HasSubstr(R"(CLASS="C" SUBCLASS="S")"));
}

TEST_F(CommandTest, EachStatusCodeHasItsExitStatus) {
    const std::vector<std::pair<StatusCode, int>> table{
        {StatusCode::lowResource, 5},    {StatusCode::systemError, 6}, {StatusCode::fail, 7},
        {StatusCode::malformed, 8},      {StatusCode::invalid, 9},     {StatusCode::versionTooHigh, 10},
        {StatusCode::versionTooLow, 11}, {StatusCode::ok, 0}};
    std::vector<Turn> turns;
    turns.reserve(table.size());
    for (const auto& [code, status] : table)
        turns.push_back(answering(xml::writeReply({code, "m"})));
    const FakeServer server(turns);
    for (const auto& [code, status] : table) {
        EXPECT_EQ(run({"register", "--server", server.address().text(), "--port", "1", "--event", "C"}),
                  status)
            << name(code);
        EXPECT_EQ(out.str(), std::string(name(code)) + ": m\n");
    }
}

TEST_F(CommandTest, ALastingRetryHasItsExitStatus) {
    const auto retry = answering(xml::writeReply({StatusCode::retry, "later"}));
    const FakeServer server({retry, retry});
    EXPECT_EQ(run({"register", "--server", server.address().text(), "--port", "1", "--event", "C",
                   "--attempts", "2"}),
              4);
    EXPECT_EQ(out.str(), "RETRY: later\n");
}

TEST_F(CommandTest, AnUnknownStatusCodeHasAnExitStatusOfItsOwn) {
    const FakeServer server({answering("<SC_REPLY STATUS_CODE=\"PERHAPS\"><SC_STATUS_MSG/></SC_REPLY>")});
    EXPECT_EQ(run({"register", "--server", server.address().text(), "--port", "1", "--event", "C"}), 12);
    EXPECT_EQ(out.str(), "");
    EXPECT_NE(err.str(), "");
}

TEST_F(CommandTest, NoServerIsExitStatusOne) {
    const DeadAddress nobody;
    EXPECT_EQ(run({"unregister", "--server", nobody.address().text(), "--port", "1", "--attempts", "2"}), 1);
    EXPECT_EQ(out.str(), "");
    EXPECT_THAT(err.str(), HasSubstr("refused"));
}

TEST_F(CommandTest, SendSendsTheStandardInputAsItIs) {
    FakeServer server({answering(xml::writeReply({StatusCode::malformed, "m"}))});
    const auto bytes = std::string("\0\xff\r\n <x>", 8) + endOfDocument;
    in.str(bytes);
    EXPECT_EQ(run({"send", "--server", server.address().text(), "--split", "3", "-"}), 8);
    EXPECT_THAT(server.requests(), ElementsAre(bytes));
}

TEST_F(CommandTest, AFileThatCannotBeReadIsNamed) {
    EXPECT_EQ(run({"send", folder + "/none.xml"}), 2);
    EXPECT_THAT(err.str(), HasSubstr("none.xml: No such file"));
    EXPECT_EQ(run({"send", folder}), 2);
    EXPECT_THAT(err.str(), HasSubstr("directory"));
}

TEST_F(CommandTest, ASourceOfTheOtherFamilyIsExplained) {
    EXPECT_EQ(run({"unregister", "--port", "1", "--server", "127.0.0.1:1", "--source", "::1"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("no address of that family"));
}

// Over the control socket.

const std::string statusAnswer =
    R"({"ok":true,"version":"0.1.0","pid":1,"role":"active","reason":"serving","term":3,"leader":"n1",)"
    R"("store":{"kind":"sqlite","path":"/var/lib/r.db"},"revision":17,"clients":2,"removals":4,"connections":1,)"
    R"("listen":["127.0.0.1:9444","[::1]:9444"],"uptime_seconds":3725,"replies":{"OK":5,"FAIL":1}})";

TEST_F(CommandTest, StatusIsAlignedForAPerson) {
    EXPECT_EQ(runAgainst(statusAnswer + "\n", {"status"}), 0);
    EXPECT_EQ(request, "{\"request\":\"status\"}\n");
    EXPECT_EQ(out.str(),
              "role          active, term 3\n"
              "leader        n1\n"
              "listens on    127.0.0.1:9444, [::1]:9444\n"
              "clients       2\n"
              "removals      4 remembered\n"
              "connections   1\n"
              "replies       FAIL 1, OK 5\n"
              "store         sqlite /var/lib/r.db, revision 17\n"
              "running for   1 h 2 min\n"
              "version       0.1.0, process 1\n");
}

TEST_F(CommandTest, AStandbySaysWhyItIsNotActive) {
    EXPECT_EQ(runAgainst(R"({"ok":true,"version":"0","role":"standby","reason":"process 7 has the store"})"
                         "\n",
                         {"status"}),
              0);
    EXPECT_THAT(out.str(), HasSubstr("standby: process 7 has the store"));
}

TEST_F(CommandTest, AStandbyWithAReasonShowsItInARowOfItsOwn) {
    EXPECT_EQ(
        runAgainst(R"({"ok":true,"version":"0","role":"standby","reason":"r","why":"standby: no quorum"})"
                   "\n",
                   {"status"}),
        0);
    EXPECT_THAT(out.str(), HasSubstr("role          standby\n"));
    EXPECT_THAT(out.str(), HasSubstr("not active    standby: no quorum\n"));
}

TEST_F(CommandTest, TheExitStatusOfRoleTellsTheRole) {
    const std::vector<std::pair<std::string, int>> table{{"active", 0},         {"standby", 13},
                                                         {"starting", 14},      {"taking over", 14},
                                                         {"stepping down", 14}, {"stopped", 14}};
    for (const auto& [role, status] : table) {
        EXPECT_EQ(runAgainst("{\"ok\":true,\"role\":\"" + role + "\"}\n", {"role"}), status) << role;
        EXPECT_EQ(out.str(), role + "\n");
    }
    EXPECT_EQ(request, "{\"request\":\"role\"}\n");
    EXPECT_EQ(run({"role", "--socket", socket}), 1);
    EXPECT_EQ(out.str(), "");
}

TEST_F(CommandTest, StepDownWaitsForTheSuccessor) {
    const auto says = [](const std::string& role, int term, const std::string& leader) {
        return answering("{\"ok\":true,\"role\":\"" + role + "\",\"term\":" + std::to_string(term) +
                             ",\"leader\":\"" + leader + "\"}\n",
                         endOfLine);
    };
    FakeServer server(socket, {says("active", 3, ""), answering("{\"ok\":true}\n", endOfLine),
                               says("active", 3, ""), says("stepping down", 3, ""), says("standby", 3, ""),
                               says("standby", 3, ""), says("standby", 3, "process 7 on n2")});
    EXPECT_EQ(run({"step-down", "--socket", socket}), 0) << err.str();
    EXPECT_EQ(out.str(), "stepped down: this server is standby, process 7 on n2 is active\n");
    EXPECT_EQ(server.requests().at(1), "{\"request\":\"step-down\"}\n");
}

TEST_F(CommandTest, StepDownSaysWhenNobodyTookOver) {
    const auto says = [](const std::string& role, int term) {
        return answering("{\"ok\":true,\"role\":\"" + role + "\",\"term\":" + std::to_string(term) + "}\n",
                         endOfLine);
    };
    const FakeServer server(socket, {says("active", 3), answering("{\"ok\":true}\n", endOfLine),
                                     says("standby", 3), says("standby", 3), says("active", 4)});
    EXPECT_EQ(run({"step-down", "--socket", socket}), 1);
    EXPECT_THAT(err.str(), HasSubstr("no other server took over, so this one is active again (term 4)"));
}

TEST_F(CommandTest, StepDownGivesUpWaitingAndSaysSo) {
    const auto active = answering("{\"ok\":true,\"role\":\"active\",\"term\":3}\n", endOfLine);
    std::vector<Turn> turns{active, answering("{\"ok\":true}\n", endOfLine)};
    turns.insert(turns.end(), 10, active);
    const FakeServer server(socket, turns);
    EXPECT_EQ(run({"step-down", "--socket", socket, "--wait", "100ms"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("still active"));
}

TEST_F(CommandTest, StepDownOfAStandbyIsRefused) {
    const FakeServer server(
        socket,
        {answering("{\"ok\":true,\"role\":\"standby\"}\n", endOfLine),
         answering("{\"ok\":false,\"error\":\"process 7 is active\",\"code\":\"STANDBY\"}\n", endOfLine)});
    EXPECT_EQ(run({"step-down", "--socket", socket}), 1);
    EXPECT_EQ(err.str(), "crnpctl: process 7 is active\n");
}

TEST_F(CommandTest, JsonIsPrintedAsItCame) {
    EXPECT_EQ(runAgainst(statusAnswer + "\n", {"status", "--json"}), 0);
    EXPECT_EQ(out.str(), statusAnswer + "\n");
}

const std::string clientsAnswer =
    "{\"ok\":true}\n"
    "{\"client\":\"127.0.0.1:2001\",\"registrations\":2}\n"
    "{\"client\":\"[::1]:2002\",\"registrations\":0}\n"
    "{\"end\":true,\"clients\":2}\n";

TEST_F(CommandTest, ClientsAreListedAndCounted) {
    EXPECT_EQ(runAgainst(clientsAnswer, {"clients"}), 0);
    EXPECT_EQ(request, "{\"request\":\"clients\"}\n");
    EXPECT_EQ(out.str(),
              "REGISTRATIONS  CLIENT\n"
              "            2  127.0.0.1:2001\n"
              "            0  [::1]:2002\n"
              "2 clients\n");
    EXPECT_EQ(runAgainst(clientsAnswer, {"clients", "--json"}), 0);
    EXPECT_EQ(out.str(), clientsAnswer);
}

TEST_F(CommandTest, EveryCutOfTheListOfClientsIsNoticed) {
    for (std::size_t length = 0; length < clientsAnswer.size(); ++length) {
        EXPECT_EQ(runAgainst(clientsAnswer.substr(0, length), {"clients"}), 1) << length;
        EXPECT_THAT(err.str(), HasSubstr("cut off")) << length;
    }
}

// A pager takes our output as slowly as its user reads; the server must not wait for it.
TEST_F(CommandTest, TheListOfClientsIsTakenWholeBeforeItIsPrinted) {
    std::string answer = "{\"ok\":true}\n";
    for (int i = 0; i < 100'000; ++i)
        answer += "{\"client\":\"127.0.0.1:2001\",\"registrations\":2}\n";
    answer += "{\"end\":true,\"clients\":100000}\n";
    FakeServer server(socket, {answering(answer, endOfLine)});

    // The reader of this output goes on only when the server is through.
    struct Pager : std::stringbuf {
        explicit Pager(FakeServer& fake) : server(fake) {}
        std::streamsize xsputn(const char* text, std::streamsize length) override {
            (void)server.requests();
            return std::stringbuf::xsputn(text, length);
        }
        FakeServer& server;
    } pager(server);
    std::ostream slowly(&pager);

    const auto command = std::get<Command>(parseArguments({"clients", "--socket", socket}, "0"));
    EXPECT_EQ(crnpctl::run(command, {in, slowly, err, [](auto) {}}), ExitStatus::ok);
    EXPECT_TRUE(pager.str().ends_with("100000 clients\n"));
}

TEST_F(CommandTest, ARefusalIsSaidAndNothingIsPrinted) {
    EXPECT_EQ(runAgainst("{\"ok\":false,\"error\":\"this node stands by\",\"code\":\"STANDBY\"}\n",
                         {"clients", "--json"}),
              1);
    EXPECT_EQ(out.str(), "");
    EXPECT_EQ(err.str(), "crnpctl: this node stands by\n");
}

TEST_F(CommandTest, AnUnknownClientHasAnExitStatusOfItsOwn) {
    EXPECT_EQ(runAgainst("{\"ok\":false,\"error\":\"no such client\",\"code\":\"NOT_FOUND\"}\n",
                         {"client", "remove", "127.0.0.1:1"}),
              3);
    EXPECT_EQ(request, "{\"client\":\"127.0.0.1:1\",\"request\":\"client-remove\"}\n");
    EXPECT_EQ(err.str(), "crnpctl: no such client\n");
}

TEST_F(CommandTest, ARemovedClientIsConfirmed) {
    EXPECT_EQ(runAgainst("{\"ok\":true}\n", {"client", "remove", "[::1]:7"}), 0);
    EXPECT_EQ(out.str(), "removed: [::1]:7\n");
}

TEST_F(CommandTest, AClientIsShownWithItsRegistrations) {
    EXPECT_EQ(runAgainst(R"({"ok":true,"client":"127.0.0.1:2001","id":7,"events":[)"
                         R"({"class":"C","subclass":null,"pairs":[]},)"
                         R"({"class":"C","subclass":"S","pairs":[{"name":"n","values":["a","b,c"]}]}]})"
                         "\n",
                         {"client", "show", "127.0.0.1:2001"}),
              0);
    EXPECT_EQ(request, "{\"client\":\"127.0.0.1:2001\",\"request\":\"client-show\"}\n");
    EXPECT_THAT(out.str(), HasSubstr("  C\n  C/S:n=a,n=b\\,c\n"));
}

TEST_F(CommandTest, AnAccessTestNamesTheEntryThatDecides) {
    EXPECT_EQ(
        runAgainst(R"({"ok":true,"address":"127.0.0.1","allowed":true,"list":"allow_hosts","entry":"LOCAL",)"
                   R"("network":"127.0.0.0/8","text":"allowed by LOCAL"})"
                   "\n",
                   {"access", "test", "127.0.0.1"}),
        0);
    EXPECT_EQ(request, "{\"address\":\"127.0.0.1\",\"request\":\"access-test\"}\n");
    EXPECT_THAT(out.str(), HasSubstr("allowed       127.0.0.1\n"));
    EXPECT_THAT(out.str(), HasSubstr("entry         LOCAL\n"));
}

TEST_F(CommandTest, AnAnswerThatMakesNoSenseIsSaidToBeOne) {
    for (const auto* const answer :
         {"nonsense\n", "[]\n", "{}\n", "{\"ok\":1}\n", "{\"ok\":true,\"version\":7,\"role\":\"\"}\n",
          "{\"ok\":true,\"version\":\"\",\"role\":\"\",\"store\":[]}\n", "\n"}) {
        EXPECT_EQ(runAgainst(answer, {"status"}), 1) << answer;
        EXPECT_THAT(err.str(), HasSubstr("makes no sense")) << answer;
    }
}

TEST_F(CommandTest, AServerThatSaysNothingIsNotWaitedForForever) {
    const FakeServer server(socket, {silent()});
    EXPECT_EQ(run({"status", "--socket", socket, "--timeout", "50ms"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("time limit"));
}

TEST_F(CommandTest, AMissingSocketAsksWhetherTheServerRuns) {
    EXPECT_EQ(run({"status", "--socket", socket}), 1);
    EXPECT_THAT(err.str(), HasSubstr("is crnpd running?"));
}

TEST_F(CommandTest, ALeftoverSocketAndAPlainFileAreToldApart) {
    { const FakeServer server(socket, {}); }
    EXPECT_EQ(run({"status", "--socket", socket}), 1);
    EXPECT_THAT(err.str(), HasSubstr("has ended"));
    std::filesystem::remove(socket);
    EXPECT_EQ(run({"status", "--socket", folder}), 1);
    EXPECT_THAT(err.str(), HasSubstr("not a socket"));
}

TEST_F(CommandTest, AForbiddenSocketNamesTheGroup) {
    if (::geteuid() == 0) GTEST_SKIP() << "root may connect to every socket";
    const FakeServer server(socket, {});
    ::chmod(socket.c_str(), 0);
    EXPECT_EQ(run({"status", "--socket", socket}), 1);
    EXPECT_THAT(err.str(), HasSubstr("group crnpd"));
}

TEST_F(CommandTest, APathThatNoSocketCanHaveIsRefused) {
    EXPECT_EQ(run({"status", "--socket", std::string(200, 'x')}), 1);
    EXPECT_THAT(err.str(), HasSubstr("107 bytes"));
}

}  // namespace
}  // namespace crnpd::crnpctl
