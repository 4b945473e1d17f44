// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/load.h"

#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "loading.h"

namespace crnpd::config {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

constexpr const char* accessAllowed =
    R"(; allowed: a list of "ADDRESS", "ADDRESS/MASKLENGTH", "LOCAL" and "ALL")";
constexpr const char* listenAllowed =
    R"(; allowed: a list of "IPV4-ADDRESS:PORT" and "[IPV6-ADDRESS]:PORT", port 0 = any)";
constexpr const char* pathAllowed = "; allowed: a file's path; its folder must exist";
constexpr const char* modeAllowed =
    R"(; allowed: the rights of the owner (at least to read and write) and of the group, like "0600" or "0660")";
constexpr const char* messageTimeAllowed =
    R"(; allowed: a time from "100ms" to "1h", one whole number with the unit ms, s, m, h or d)";

TEST(LoadTest, AnEmptyFileMeansTheDefaults) {
    const auto settings = settingsOf("");
    EXPECT_EQ(settings, defaultSettings());
    ASSERT_EQ(settings.listen.size(), 2U);
    EXPECT_EQ(settings.listen[1].text(), "[::]:9444");
    EXPECT_EQ(settings.allowHosts.at(0).text(), "LOCAL");
    EXPECT_TRUE(settings.denyHosts.empty());
    EXPECT_EQ(settings.maxClients, 1000U);
    EXPECT_EQ(settings.workers, 0U);
}

TEST(LoadTest, TheDefaultsOfTheSectionsAreThoseOfTheContract) {
    const auto settings = settingsOf("");
    EXPECT_EQ(settings.limits, (Limits{1048576, 30s, 10000, 1000, 1000, 24h, 10000}));
    EXPECT_EQ(settings.delivery, (DeliverySettings{"SUNW", 60s, 10, 1800s, false}));
    EXPECT_EQ(settings.store.kind, StoreKind::sqlite);
    EXPECT_EQ(settings.store.path, "/var/lib/crnpd/registrations.db");
    EXPECT_EQ(settings.store.place(), "/var/lib/crnpd/registrations.db");
    EXPECT_EQ(settings.control, (ControlSettings{"/run/crnpd/control.sock", 0660}));
    EXPECT_EQ(settings.log, (LogSettings{LogLevel::info, {LogTarget::Kind::automatic, {}}, LogFormat::text}));
}

TEST(LoadTest, EverySettingOfTheTopIsTaken) {
    const auto settings = settingsOf(R"(
listen = ["192.0.2.1:0", "[2001:db8::1]:9000"]
allow_hosts = ["10.0.0.0/8", "ALL"]
deny_hosts = ["10.1.0.0/16"]
max_clients = 10_000_000
workers = 64
)");
    EXPECT_EQ(settings.listen.at(1).text(), "[2001:db8::1]:9000");
    EXPECT_EQ(settings.allowHosts.at(1).text(), "ALL");
    EXPECT_EQ(settings.denyHosts.at(0).text(), "10.1.0.0/16");
    EXPECT_EQ(settings.maxClients, 10'000'000U);
    EXPECT_EQ(settings.workers, 64U);
}

TEST(LoadTest, EverySettingOfTheDeliveryIsTaken) {
    const auto settings = settingsOf(R"(
vendor = "ORCL"
client_timeout = "1s"
client_retry_count = 100
client_retry_interval = "24h"
bind_source_port = true
)");
    EXPECT_EQ(settings.delivery, (DeliverySettings{"ORCL", 1s, 100, 24h, true}));
}

TEST(LoadTest, WhatIsYesOrNoIsWrittenAsTrueOrFalse) {
    EXPECT_EQ(problemIn("bind_source_port = 'yes'"),
              R"(crnpd.toml:1: bind_source_port: "yes" is neither true nor false; allowed: true or false)");
    EXPECT_EQ(problemIn("bind_source_port = 1"),
              "crnpd.toml:1: bind_source_port: 1 is neither true nor false; allowed: true or false");
}

TEST(LoadTest, EveryLimitIsTaken) {
    const auto settings = settingsOf(R"(
[limits]
message_bytes = 4096
message_time = "500ms"
connections = 20
connections_per_address = 10
registrations_per_client = 1
removal_memory = "2s"
queue_events = 10
)");
    EXPECT_EQ(settings.limits, (Limits{4096, 500ms, 20, 10, 1, 2s, 10}));
}

TEST(LoadTest, EverySettingOfStoreControlAndLogIsTaken) {
    const auto settings = settingsOf(R"(
store = { kind = "sqlite", path = "r.db" }
control.socket = "run/c.sock"
control.mode = "0600"
[log]
level = "warn"
target = "./crnpd.log"
format = "json"
)");
    EXPECT_EQ(settings.store.path, "r.db");
    EXPECT_EQ(settings.control, (ControlSettings{"run/c.sock", 0600}));
    EXPECT_EQ(settings.log,
              (LogSettings{LogLevel::warn, {LogTarget::Kind::file, "./crnpd.log"}, LogFormat::json}));
}

TEST(LoadTest, EveryWordOfTheLogIsKnown) {
    EXPECT_EQ(settingsOf("log.target = 'journal'").log.target.kind, LogTarget::Kind::journal);
    EXPECT_EQ(settingsOf("log.target = 'stderr'").log.target.kind, LogTarget::Kind::standardError);
    EXPECT_EQ(settingsOf("log.level = 'trace'").log.level, LogLevel::trace);
    EXPECT_EQ(settingsOf("log.level = 'debug'").log.level, LogLevel::debug);
    EXPECT_EQ(settingsOf("log.level = 'error'").log.level, LogLevel::error);
}

TEST(LoadTest, AllProblemsAreToldInTheOrderOfTheFile) {
    EXPECT_EQ(problemsIn("workers = 65\n"
                         "max_clients = 0\n"
                         "\n"
                         "[log]\n"
                         "levle = \"info\"\n"
                         "format = \"xml\"\n"),
              (Lines{"crnpd.toml:1: workers: 65 is out of range; allowed: a number from 0 to 64",
                     "crnpd.toml:2: max_clients: 0 is out of range; allowed: a number from 1 to 10000000",
                     R"(crnpd.toml:5: "levle" is not a setting of [log]; did you mean "level"?)",
                     R"(crnpd.toml:6: log.format: "xml" is not known; allowed: "text", "json")"}));
}

TEST(LoadTest, ANumberIsANumber) {
    const std::string allowed = "; allowed: a number from 1 to 10000000";
    EXPECT_EQ(problemIn("\nmax_clients = \"1000\""),
              "crnpd.toml:2: max_clients: \"1000\" is a text: write it without the quotes" + allowed);
    EXPECT_EQ(problemIn("max_clients = \"many\""),
              "crnpd.toml:1: max_clients: \"many\" is not a whole number" + allowed);
    EXPECT_EQ(problemIn("max_clients = 5.5"),
              "crnpd.toml:1: max_clients: 5.5 is not a whole number" + allowed);
    EXPECT_EQ(problemIn("max_clients = true"),
              "crnpd.toml:1: max_clients: true is not a whole number" + allowed);
    EXPECT_EQ(problemIn("max_clients = [1]"),
              "crnpd.toml:1: max_clients: a list is not a whole number" + allowed);
    EXPECT_EQ(problemIn("max_clients = 2024-01-01"),
              "crnpd.toml:1: max_clients: a date or time is not a whole number" + allowed);
    EXPECT_EQ(problemIn("max_clients = -1"), "crnpd.toml:1: max_clients: -1 is out of range" + allowed);
}

TEST(LoadTest, BothEndsOfARangeAreIn) {
    EXPECT_EQ(settingsOf("max_clients = 1").maxClients, 1U);
    EXPECT_EQ(settingsOf("limits.message_bytes = 67108864").limits.messageBytes, 67108864U);
    EXPECT_EQ(
        problemIn("limits.message_bytes = 4095"),
        "crnpd.toml:1: limits.message_bytes: 4095 is out of range; allowed: a number from 4096 to 67108864");
    EXPECT_EQ(problemIn("limits.message_bytes = 67108865"),
              "crnpd.toml:1: limits.message_bytes: 67108865 is out of range; allowed: a number from 4096 to "
              "67108864");
    EXPECT_EQ(settingsOf("limits.message_time = '100ms'").limits.messageTime, 100ms);
    EXPECT_EQ(settingsOf("limits.message_time = '1h'").limits.messageTime, 1h);
    EXPECT_EQ(settingsOf("limits.removal_memory = '365d'").limits.removalMemory, 8760h);
}

TEST(LoadTest, ATimeHasAUnit) {
    EXPECT_EQ(problemIn("[limits]\nmessage_time = 30"),
              R"(crnpd.toml:2: limits.message_time: 30 has no unit: write "30s" for seconds)" +
                  std::string(messageTimeAllowed));
    EXPECT_EQ(problemIn("[limits]\nmessage_time = '30'"),
              R"(crnpd.toml:2: limits.message_time: "30" has no unit: write "30s" for seconds)" +
                  std::string(messageTimeAllowed));
    EXPECT_EQ(
        problemIn("[limits]\nmessage_time = '99ms'"),
        R"(crnpd.toml:2: limits.message_time: "99ms" is out of range)" + std::string(messageTimeAllowed));
    EXPECT_EQ(problemIn("[limits]\nmessage_time = 12:30:00"),
              "crnpd.toml:2: limits.message_time: a date or time is not a text in quotes" +
                  std::string(messageTimeAllowed));
}

TEST(LoadTest, ARemovalIsRememberedForWholeSeconds) {
    EXPECT_EQ(problemIn("limits.removal_memory = '1500ms'"),
              R"(crnpd.toml:1: limits.removal_memory: "1500ms" is not a whole number of seconds; allowed: )"
              R"(a time from "1s" to "8760h", one whole number with the unit ms, s, m, h or d)");
}

TEST(LoadTest, ListenIsAListOfSocketAddresses) {
    EXPECT_EQ(problemIn("listen = '0.0.0.0:9444'"),
              R"(crnpd.toml:1: listen: "0.0.0.0:9444" is not a list: write it in [ ])" +
                  std::string(listenAllowed));
    EXPECT_EQ(problemIn("listen = []"), "crnpd.toml:1: listen: [] is empty" + std::string(listenAllowed));
    EXPECT_EQ(problemIn("listen = [9444]"),
              "crnpd.toml:1: listen: 9444 is not a text in quotes" + std::string(listenAllowed));
    EXPECT_EQ(problemIn("listen = ['localhost:9444']"),
              R"(crnpd.toml:1: listen: "localhost" is not an IP address)" + std::string(listenAllowed));
}

TEST(LoadTest, EachBadElementOfAListIsToldOnItsOwnLine) {
    EXPECT_EQ(problemsIn("listen = [\n"
                         "  \"0.0.0.0\",\n"
                         "  \"[::]:9444\",\n"
                         "  \"[::1]:99999\"\n"
                         "]\n"),
              (Lines{R"(crnpd.toml:2: listen: "0.0.0.0" is not ADDRESS:PORT: the port is missing)" +
                         std::string(listenAllowed),
                     R"(crnpd.toml:4: listen: "[::1]:99999": the port is not a number from 0 to 65535)" +
                         std::string(listenAllowed)}));
}

TEST(LoadTest, AccessEntriesAreChecked) {
    EXPECT_EQ(problemIn("allow_hosts = ['local']"),
              R"(crnpd.toml:1: allow_hosts: "local" is written in capital letters: "LOCAL")" +
                  std::string(accessAllowed));
    EXPECT_EQ(
        problemIn("deny_hosts = [\n'10.0.0.0/8',\n'10.1.2.3/8']"),
        R"(crnpd.toml:3: deny_hosts: "10.1.2.3/8" has bits behind the mask: write 10.0.0.0/8 for the network )"
        R"(or 10.1.2.3 for this one address)" +
            std::string(accessAllowed));
    EXPECT_EQ(settingsOf("allow_hosts = []").allowHosts.size(), 0U);
}

TEST(LoadTest, APathIsAFilesPath) {
    EXPECT_EQ(problemIn("store.path = ''"),
              R"(crnpd.toml:1: store.path: "" is empty)" + std::string(pathAllowed));
    EXPECT_EQ(problemIn("store.path = '/var/lib/'"),
              R"(crnpd.toml:1: store.path: "/var/lib/" is a folder, not a file)" + std::string(pathAllowed));
    EXPECT_EQ(problemIn("store.path = \"a\\u0000b\""),
              R"(crnpd.toml:1: store.path: "a\u0000b" has a NUL in it)" + std::string(pathAllowed));
    EXPECT_EQ(problemIn("store.path = 5"),
              "crnpd.toml:1: store.path: 5 is not a text in quotes" + std::string(pathAllowed));
}

TEST(LoadTest, AControlSocketsPathFitsItsAddress) {
    EXPECT_EQ(settingsOf("control.socket = '" + std::string(107, 'x') + "'").control.socket.native().size(),
              107U);
    EXPECT_EQ(problemIn("control.socket = '" + std::string(108, 'x') + "'"),
              "crnpd.toml:1: control.socket: \"" + std::string(60, 'x') +
                  "…\" is too long: 108 bytes, at most 107; allowed: a path of at most 107 bytes; its folder "
                  "must exist");
}

TEST(LoadTest, AModeIsOctalAndKeepsOthersOut) {
    const auto refusal = [](std::string_view value) {
        return problemIn("control.mode = " + std::string(value));
    };
    const std::string allowed = modeAllowed;
    EXPECT_EQ(refusal("660"), "crnpd.toml:1: control.mode: 660 is not an octal number in quotes" + allowed);
    EXPECT_EQ(refusal("'0666'"),
              "crnpd.toml:1: control.mode: \"0666\" gives rights to everybody on this machine" + allowed);
    EXPECT_EQ(refusal("'0060'"),
              "crnpd.toml:1: control.mode: \"0060\" keeps the owner from reading and writing" + allowed);
    EXPECT_EQ(
        refusal("'4660'"),
        "crnpd.toml:1: control.mode: \"4660\" has more than the rights to read, write and execute" + allowed);
    for (const auto* text : {"'0680'", "'rw'", "''", "'60'", "'00660'", "'-660'", "'0x1b0'"}) {
        EXPECT_NE(refusal(text).find("is not an octal number of three or four digits" + allowed),
                  std::string::npos)
            << refusal(text);
    }
    EXPECT_EQ(settingsOf("control.mode = '640'").control.mode, 0640U);
}

TEST(LoadTest, AMisspeltLogTargetIsNoFile) {
    EXPECT_EQ(
        problemIn("[log]\ntarget = 'jurnal'"),
        R"(crnpd.toml:2: log.target: "jurnal" is not known, and a path has a "/" in it; allowed: "auto" )"
        R"((the journal under systemd, else stderr), "journal", "stderr" or a file's path)");
}

TEST(LoadTest, WordsAreTakenExactlyAsWritten) {
    EXPECT_EQ(
        problemIn("log.level = 'INFO'"),
        R"(crnpd.toml:1: log.level: "INFO" is not known; allowed: "trace", "debug", "info", "warn", "error")");
    EXPECT_EQ(
        problemIn("log.level = 3"),
        R"(crnpd.toml:1: log.level: 3 is not a text in quotes; allowed: "trace", "debug", "info", "warn", "error")");
    EXPECT_EQ(problemIn("store.kind = 'etcd3'"),
              R"(crnpd.toml:1: store.kind: "etcd3" is not known; allowed: "sqlite", "etcd")");
}

TEST(LoadTest, ASectionIsNoSettingAndTheOtherWayRound) {
    EXPECT_EQ(problemIn("limits = 5"),
              "crnpd.toml:1: limits is a section: write [limits] once, alone on its line");
    EXPECT_EQ(problemIn("\n[[limits]]\nconnections = 5"),
              "crnpd.toml:2: limits is a section: write [limits] once, alone on its line");
    EXPECT_EQ(problemIn("[max_clients]\nx = 5"),
              "crnpd.toml:1: max_clients is a setting, not a section; allowed: a number from 1 to 10000000");
    EXPECT_EQ(problemIn("[log]\nlevel.console = 'info'"),
              "crnpd.toml:2: log.level is a setting, not a section; allowed: \"trace\", \"debug\", \"info\", "
              "\"warn\", "
              "\"error\"");
}

TEST(LoadTest, AnUnknownSectionIsToldOnceAndNotForEachOfItsKeys) {
    EXPECT_EQ(problemIn("[limit]\nconnections = 5\nconnectoins = 6\n[limit.deep]\nx = 1"),
              "crnpd.toml:1: [limit] is not a section; did you mean [limits]?");
}

TEST(LoadTest, ABreachOfTomlsGrammarIsToldWithItsLine) {
    EXPECT_EQ(problemIn("max_clients = 5\nworkers = \n"),
              "crnpd.toml:2: not valid TOML: Error while parsing key-value pair: expected value, saw '\\n'");
    EXPECT_EQ(
        problemIn("\n\nmax_clients = 5\nmax_clients = 6\n"),
        "crnpd.toml:4: not valid TOML: Error while parsing key-value pair: cannot redefine existing integer "
        "'max_clients'");
    EXPECT_EQ(problemIn("[log]\nlevel = info\n").substr(0, 31), "crnpd.toml:2: not valid TOML: E");
    EXPECT_EQ(problemIn("a = \"\xff\"").substr(0, 30), "crnpd.toml:1: not valid TOML: ");
}

TEST(LoadTest, AProblemIsOneLineWhateverTheFileHolds) {
    for (const std::string text :
         {"log.level = \"a\\nb\"", "\"a\\nb\" = 1", "[\"a\\nb\"]", "allow_hosts = [\"a\\nb\"]",
          "limits.message_time = \"5\\n\"", "x = tru\n"}) {
        const auto problem = problemIn(text);
        EXPECT_TRUE(problem.starts_with("crnpd.toml:1: ")) << problem;
        EXPECT_EQ(problem.find('\n'), std::string::npos) << problem;
    }
}

TEST(LoadTest, DeepNestingIsRefusedAndNotFatal) {
    EXPECT_NE(problemIn("x = " + std::string(100'000, '[')).find("crnpd.toml:1: not valid TOML: "),
              std::string::npos);
}

TEST(LoadTest, ANameWithoutEndIsRefusedAndNotFatal) {
    std::string name = "a";
    for (int i = 0; i < 400'000; ++i)
        name += ".a";
    const auto* refusal = "crnpd.toml:2: not valid TOML: a name has more than 16 dots";
    EXPECT_EQ(problemIn("\n" + name + " = 1"), refusal);
    EXPECT_EQ(problemIn("\n[" + name + "]"), refusal);
    EXPECT_EQ(problemIn("\nx = { y = 1, " + name + " = 1 }"), refusal);
    EXPECT_EQ(problemIn("x = ['''\n' \\''',{" + name + "='1'}]"), refusal);
    EXPECT_EQ(problemIn("x = [\"\"\"\n\\\"\"\"\"\"\", {" + name + " = 1}]"), refusal);
}

TEST(LoadTest, DotsInValuesAndCommentsAreNoNames) {
    const std::string dots(100, '.');
    EXPECT_EQ(problemsIn("# " + dots + "\nstore.path = \"\\\"" + dots + "\" # \"" + dots), Lines{});
    EXPECT_EQ(problemsIn("store.path = '''" + dots + "'" + dots + "''''' # " + dots), Lines{});
    EXPECT_EQ(problemIn("workers = [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 1.5, 2.5, 3.5, 4.5, 5.5, "
                        "6.5, 7.5, 8.5]"),
              "crnpd.toml:1: workers: a list is not a whole number; allowed: a number from 0 to 64");
}

class LoadFileTest : public testing::Test {
protected:
    LoadFileTest() : folder_(testing::TempDir() + "crnpd-load-XXXXXX") {
        EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
    }
    ~LoadFileTest() override { std::filesystem::remove_all(folder_); }

    [[nodiscard]] std::string file() const { return folder_ + "/crnpd.toml"; }
    [[nodiscard]] const std::string& folder() const { return folder_; }
    void write(std::string_view text) const { std::ofstream(file()) << text; }

private:
    std::string folder_;
};

TEST_F(LoadFileTest, AFileIsReadAndNamedInItsProblems) {
    write("max_clients = 77\n");
    EXPECT_EQ(loadSettings(file()).settings().maxClients, 77U);

    write("max_clients = 0\n");
    EXPECT_EQ(problemsOf(loadSettings(file())),
              Lines{file() + ":1: max_clients: 0 is out of range; allowed: a number from 1 to 10000000"});
}

TEST_F(LoadFileTest, AMissingFileIsSaidSo) {
    EXPECT_EQ(problemsOf(loadSettings(file())),
              Lines{file() + ": cannot read the settings: No such file or directory"});
}

TEST_F(LoadFileTest, AFolderIsNoSettingsFile) {
    EXPECT_EQ(problemsOf(loadSettings(folder())),
              Lines{folder() + ": cannot read the settings: Is a directory"});
}

TEST_F(LoadFileTest, AFileWithoutEndIsNotReadForEver) {
    EXPECT_EQ(problemsOf(loadSettings("/dev/zero")),
              Lines{"/dev/zero: cannot read the settings: it is longer than 1048576 bytes"});
}

TEST_F(LoadFileTest, APipeIsRefusedAndNotWaitedFor) {
    ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
    EXPECT_EQ(problemsOf(loadSettings(file())), Lines{file() + ": cannot read the settings: it is a pipe"});
}

TEST_F(LoadFileTest, NothingAtAllMeansTheDefaults) {
    EXPECT_EQ(loadSettings("/dev/null").settings(), defaultSettings());
}

TEST_F(LoadFileTest, WindowsLineEndsAndAByteOrderMarkAreFine) {
    write("\xef\xbb\xbfmax_clients = 77\r\n[log]\r\nlevel = \"warn\"\r\n");
    const auto loaded = loadSettings(file());
    EXPECT_EQ(problemsOf(loaded), Lines{});
}

}  // namespace
}  // namespace crnpd::config
