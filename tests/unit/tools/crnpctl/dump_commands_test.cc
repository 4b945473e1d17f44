// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// crnpctl dump and restore against servers that do what the test tells them.

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/dump/dump_writer.h"
#include "tests/unit/tools/crnpctl/fake_server.h"
#include "tools/crnpctl/arguments.h"
#include "tools/crnpctl/commands.h"

namespace crnpd::crnpctl {
namespace {

using ::testing::HasSubstr;

class DumpCommandsTest : public ::testing::Test {
protected:
    DumpCommandsTest() {
        std::string name = std::filesystem::temp_directory_path() / "crnpctl-dump-XXXXXX";
        folder = ::mkdtemp(name.data());
        socket = folder + "/control.sock";
    }
    ~DumpCommandsTest() override { std::filesystem::remove_all(folder); }

    int run(std::vector<std::string> words) {
        words.insert(words.end(), {"--socket", socket});
        out.str("");
        err.str("");
        const auto parsed = parseArguments(words, "0");
        return static_cast<int>(crnpctl::run(std::get<Command>(parsed), {in, out, err, [](auto) {}}));
    }
    static std::string aDump(std::uint16_t clients = 3) {
        Snapshot rows;
        for (std::uint16_t port = 1; port <= clients; ++port)
            rows.clients.push_back({port, {IpAddress::parse("192.0.2.1").value(), port}, "0:"});
        std::string text;
        EXPECT_TRUE(dump::write(rows, {"1", {}}, [&](const std::string& line) {
            text += line + '\n';
            return true;
        }));
        return text;
    }
    [[nodiscard]] std::string at(const std::string& name) const { return folder + '/' + name; }
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(at(name), std::ios::binary) << text;
        return at(name);
    }
    [[nodiscard]] std::string content(const std::string& name) const {
        std::ostringstream text;
        text << std::ifstream(at(name), std::ios::binary).rdbuf();
        return text.str();
    }
    // Says that it is ready, takes a dump, and answers.
    static Turn restoring(const std::string& answer) {
        return [answer](int connection) {
            auto request = readUntil(connection, "\n");
            crnpctl::write(connection, "{\"ok\":true}\n");
            while (request.find("\"sha256\"") == std::string::npos)
                request += readUntil(connection, "\n");
            crnpctl::write(connection, answer);
            return request;
        };
    }

    std::string folder, socket;
    std::istringstream in;
    std::ostringstream out, err;
};

TEST_F(DumpCommandsTest, ADumpIsPrintedAsItCame) {
    const FakeServer server(socket, {answering("{\"ok\":true}\n" + aDump(), endOfLine)});
    EXPECT_EQ(run({"dump"}), 0) << err.str();
    EXPECT_EQ(out.str(), aDump());
}

TEST_F(DumpCommandsTest, ADumpInAFileIsForItsOwnerAlone) {
    write("d", "old");
    write("d.new", "the rest of an attempt that was longer than the dump" + std::string(1000, '.'));
    ASSERT_EQ(::chmod(at("d.new").c_str(), 0666), 0);
    const FakeServer server(socket, {answering("{\"ok\":true}\n" + aDump(), endOfLine)});
    EXPECT_EQ(run({"dump", "--output", at("d")}), 0) << err.str();
    EXPECT_EQ(out.str(), "dumped: 3 rows to " + at("d") + "\n");
    EXPECT_EQ(content("d"), aDump());
    EXPECT_FALSE(std::filesystem::exists(at("d.new")));
    struct stat status {};
    ASSERT_EQ(::stat(at("d").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(DumpCommandsTest, ADumpThatIsCutOffLeavesTheOldOne) {
    write("d", "old");
    const auto whole = "{\"ok\":true}\n" + aDump();
    for (const std::size_t length : {std::size_t{12}, std::size_t{50}, whole.size() / 2, whole.size() - 2}) {
        const FakeServer server(socket, {answering(whole.substr(0, length), endOfLine)});
        EXPECT_EQ(run({"dump", "--output", at("d")}), 1);
        EXPECT_THAT(err.str(), HasSubstr("no whole dump"));
        EXPECT_EQ(content("d"), "old");
        EXPECT_FALSE(std::filesystem::exists(at("d.new")));
        std::filesystem::remove(socket);
    }
}

TEST_F(DumpCommandsTest, ADumpThatWasChangedOnItsWayIsNoDump) {
    auto changed = aDump();
    changed.replace(changed.find("192.0.2.1:2"), 11, "192.0.2.2:2");
    const FakeServer server(socket, {answering("{\"ok\":true}\n" + changed, endOfLine)});
    EXPECT_EQ(run({"dump"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("checksum"));
}

TEST_F(DumpCommandsTest, AFileThatCannotBeWrittenIsNamed) {
    const auto turn = answering("{\"ok\":true}\n" + aDump(), endOfLine);
    const FakeServer server(socket, {turn, turn});
    EXPECT_EQ(run({"dump", "--output", at("none/d")}), 1);
    EXPECT_THAT(err.str(), HasSubstr("none/d.new: No such file"));
    EXPECT_EQ(run({"dump", "--output", "/dev/null"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("is not a file"));
}

TEST_F(DumpCommandsTest, AStandbysRefusalIsSaidAndNoFileIsMade) {
    const FakeServer server(socket, {answering("{\"ok\":false,\"error\":\"not active\"}\n", endOfLine)});
    EXPECT_EQ(run({"dump", "--output", at("d")}), 1);
    EXPECT_EQ(err.str(), "crnpctl: not active\n");
    EXPECT_FALSE(std::filesystem::exists(at("d")));
}

TEST_F(DumpCommandsTest, ARestoreSendsTheDumpBehindTheRequest) {
    const auto answer = "{\"working\":true}\n{\"ok\":true,\"clients\":3,\"removals\":0}\n";
    FakeServer server(socket, {restoring(answer), restoring(answer)});
    EXPECT_EQ(run({"restore", write("d", aDump())}), 0) << err.str();
    EXPECT_EQ(out.str(), "restored: 3 clients, 0 removals\n");
    in.str(aDump());
    EXPECT_EQ(run({"restore", "--json", "-"}), 0) << err.str();
    EXPECT_EQ(out.str(), "{\"ok\":true,\"clients\":3,\"removals\":0}\n");
    for (const auto& request : server.requests())
        EXPECT_EQ(request, "{\"request\":\"restore\"}\n" + aDump());
}

TEST_F(DumpCommandsTest, NothingIsSentUnlessTheFileIsAWholeDump) {
    const auto whole = aDump();
    EXPECT_EQ(run({"restore", write("d", whole.substr(0, whole.size() / 2))}), 2);
    EXPECT_THAT(err.str(), HasSubstr("nothing was sent: " + at("d") + ": line "));
    EXPECT_EQ(run({"restore", write("d", "")}), 2);
    EXPECT_THAT(err.str(), HasSubstr("the dump is empty"));
    EXPECT_EQ(run({"restore", write("d", "{\"crnpd_dump\":9,\"server\":\"7\"}\n")}), 2);
    EXPECT_THAT(err.str(), HasSubstr("made by crnpd 7"));
    EXPECT_EQ(run({"restore", at("none")}), 2);
    EXPECT_THAT(err.str(), HasSubstr("none: No such file"));
    EXPECT_EQ(run({"restore", folder}), 2);
}

TEST_F(DumpCommandsTest, ARefusalIsSaidWhetherTheServerHasReadOrNot) {
    const FakeServer server(socket,
                            {answering("{\"ok\":false,\"error\":\"3 clients are registered\"}\n", endOfLine),
                             restoring("{\"ok\":false,\"error\":\"disk full\"}\n")});
    const auto file = write("d", aDump());
    EXPECT_EQ(run({"restore", file}), 1);
    EXPECT_EQ(err.str(), "crnpctl: 3 clients are registered\n");
    EXPECT_EQ(run({"restore", file}), 1);
    EXPECT_EQ(err.str(), "crnpctl: disk full\n");
}

TEST_F(DumpCommandsTest, AServerThatDiesMeanwhileLeavesItOpen) {
    const FakeServer server(socket, {restoring("")});
    EXPECT_EQ(run({"restore", write("d", aDump())}), 1);
    EXPECT_THAT(err.str(), HasSubstr("it is not known whether the dump was restored"));
}

}  // namespace
}  // namespace crnpd::crnpctl
