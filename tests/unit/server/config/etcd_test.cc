// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The section [store.etcd]: its values, what must hold between them, and its files.

#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include "loading.h"

namespace crnpd::config {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

// With kind = "etcd"; the first of `lines` is line 3.
std::string etcd(const std::string& lines) {
    return "store.kind = 'etcd'\n[store.etcd]\n" + lines;
}

TEST(EtcdSettingsTest, TheDefaultsAreThoseOfTheContract) {
    const auto settings = settingsOf(etcd("")).store;
    EXPECT_EQ(settings.kind, StoreKind::etcd);
    ASSERT_EQ(settings.etcd.endpoints.size(), 1U);
    EXPECT_EQ(settings.etcd.endpoints[0].text(), "127.0.0.1:2379");
    EXPECT_EQ(settings.etcd.prefix, "/crnpd");
    EXPECT_EQ(settings.etcd.lease, 3s);
    EXPECT_EQ(settings.etcd.attemptTime, 1s);
    EXPECT_EQ(settings.etcd.commitLimit, 10s);
    EXPECT_EQ(settings.etcd.takeover, Takeover::wait);
    EXPECT_FALSE(settings.etcd.isSecure());
    EXPECT_EQ(settings.place(), "127.0.0.1:2379/crnpd");
}

TEST(EtcdSettingsTest, EverySettingIsTaken) {
    const auto settings = settingsOf(etcd(R"(
endpoints = ["https://n1:2379", "n2:2379"]
prefix = "/site/crnpd"
lease = "5m"
attempt_time = "100ms"
commit_limit = "1s"
takeover = "seize"
ca_file = "ca.pem"
cert_file = "cert.pem"
key_file = "key.pem"
username = "crnpd"
password_file = "password"
)"))
                              .store.etcd;
    EXPECT_EQ(settings.endpoints.at(1).hostAndPort(), "n2:2379");
    EXPECT_EQ(settings.prefix, "/site/crnpd");
    EXPECT_EQ(settings.lease, 300s);
    EXPECT_EQ(settings.attemptTime, 100ms);
    EXPECT_EQ(settings.commitLimit, 1s);
    EXPECT_EQ(settings.takeover, Takeover::seize);
    EXPECT_EQ(settings.caFile, "ca.pem");
    EXPECT_EQ(settings.certFile, "cert.pem");
    EXPECT_EQ(settings.keyFile, "key.pem");
    EXPECT_EQ(settings.username, "crnpd");
    EXPECT_EQ(settings.passwordFile, "password");
}

TEST(EtcdSettingsTest, ABadValueIsToldWithItsLine) {
    EXPECT_EQ(problemIn(etcd("endpoints = ['n1']")),
              R"(crnpd.toml:3: store.etcd.endpoints: "n1" is not HOST:PORT: the port is missing; allowed: )"
              R"(a list of "HOST:PORT", "http://HOST:PORT" and "https://HOST:PORT")");
    EXPECT_EQ(problemIn(etcd("lease = '1500ms'")),
              R"(crnpd.toml:3: store.etcd.lease: "1500ms" is not a whole number of seconds; allowed: a time )"
              R"(from "1s" to "5m", one whole number with the unit ms, s, m, h or d)");
    EXPECT_EQ(problemIn(etcd("lease = '301s'")).find("crnpd.toml:3: store.etcd.lease: \"301s\" is out of"),
              0U);
    EXPECT_EQ(problemIn(etcd("takeover = 'grab'")),
              R"(crnpd.toml:3: store.etcd.takeover: "grab" is not known; allowed: "wait", "seize")");
    EXPECT_EQ(problemIn(etcd("ca_file = '/etc/'")),
              "crnpd.toml:3: store.etcd.ca_file: \"/etc/\" is a folder, not a file; allowed: a file's path; "
              "empty = none");
}

TEST(EtcdSettingsTest, APrefixIsAPathOfNames) {
    const auto refusal = [](const std::string& prefix) { return problemIn(etcd("prefix = " + prefix)); };
    const std::string begin = "crnpd.toml:3: store.etcd.prefix: ";
    const std::string allowed = R"(; allowed: a path of names, like "/crnpd" or "/site/crnpd")";
    EXPECT_EQ(refusal("'crnpd'"), begin + R"("crnpd" does not begin with a "/")" + allowed);
    EXPECT_EQ(refusal("''"), begin + R"("" does not begin with a "/")" + allowed);
    EXPECT_EQ(refusal("'/'"), begin + R"("/" ends with a "/")" + allowed);
    EXPECT_EQ(refusal("'/crnpd/'"), begin + R"("/crnpd/" ends with a "/")" + allowed);
    EXPECT_EQ(refusal("'/a//b'"), begin + R"("/a//b" has an empty part)" + allowed);
    EXPECT_EQ(refusal("\"/a\\u0001\""), begin + R"("/a\u0001" has control characters in it)" + allowed);
    EXPECT_NE(refusal("'/" + std::string(255, 'x') + "'").find("is longer than 255 bytes"),
              std::string::npos);
}

TEST(EtcdSettingsTest, OneAttemptIsNoLongerThanTheWholeWrite) {
    EXPECT_EQ(problemIn(etcd("lease = '9s'\nattempt_time = '5s'\ncommit_limit = '4s'")),
              "crnpd.toml:4: store.etcd.attempt_time: one attempt may take 5s, but a write as a whole 4s; "
              "allowed: store.etcd.commit_limit at least as long as store.etcd.attempt_time");
    EXPECT_EQ(problemsIn(etcd("lease = '9s'\nattempt_time = '4s'\ncommit_limit = '4s'")), Lines{});
}

TEST(EtcdSettingsTest, OneDeadMemberDoesNotCostTheLease) {
    EXPECT_EQ(
        problemIn(etcd("attempt_time = '3s'")),
        "crnpd.toml:3: store.etcd.attempt_time: one member that does not answer within 3s would cost the "
        "lease of 3s; allowed: store.etcd.attempt_time shorter than store.etcd.lease");
}

TEST(EtcdSettingsTest, ALeftOutAttemptTimeFollowsAShortLease) {
    EXPECT_EQ(settingsOf(etcd("lease = '1s'")).store.etcd.attemptTime, 500ms);
    EXPECT_EQ(settingsOf(etcd("lease = '60s'")).store.etcd.attemptTime, 1s);
}

TEST(EtcdSettingsTest, AMemberIsNamedOnce) {
    EXPECT_EQ(problemIn(etcd("endpoints = [\n'n1:2379',\n'http://n1:2379']")),
              R"(crnpd.toml:5: store.etcd.endpoints: "http://n1:2379" stands in the list twice)");
}

TEST(EtcdSettingsTest, TlsIsForAllMembersOrForNone) {
    const std::string mixture =
        " is without TLS, but ca_file, cert_file or another endpoint is for TLS; allowed: TLS with all "
        "members or with none";
    EXPECT_EQ(problemIn(etcd("endpoints = [\n'http://n1:1',\n'https://n2:1']")),
              R"(crnpd.toml:4: store.etcd.endpoints: "http://n1:1")" + mixture);
    EXPECT_EQ(problemIn(etcd("ca_file = 'ca'\nendpoints = ['http://n1:1']")),
              R"(crnpd.toml:4: store.etcd.endpoints: "http://n1:1")" + mixture);
    EXPECT_TRUE(settingsOf(etcd("ca_file = 'ca'\nendpoints = ['n1:1']")).store.etcd.isSecure());
    EXPECT_TRUE(settingsOf(etcd("endpoints = ['https://n1:1', 'n2:1']")).store.etcd.isSecure());
}

TEST(EtcdSettingsTest, ACertificateAndItsKeyAUserAndItsPasswordGoTogether) {
    const std::string certificate =
        " is missing; allowed: both or none of store.etcd.cert_file and store.etcd.key_file";
    EXPECT_EQ(problemIn(etcd("cert_file = 'c'")),
              "crnpd.toml:3: store.etcd.cert_file: store.etcd.key_file" + certificate);
    EXPECT_EQ(problemIn(etcd("key_file = 'k'")),
              "crnpd.toml:3: store.etcd.key_file: store.etcd.cert_file" + certificate);
    EXPECT_EQ(problemIn(etcd("username = 'u'")),
              "crnpd.toml:3: store.etcd.username: store.etcd.password_file is missing; allowed: both or none "
              "of store.etcd.username and store.etcd.password_file");
}

TEST(EtcdSettingsTest, WithSqliteTheyAreNotJudged) {
    EXPECT_EQ(problemsIn("[store.etcd]\nattempt_time = '60s'\nlease = '1s'\ncert_file = 'c'"), Lines{});
}

TEST(EtcdSettingsTest, WithEtcdTheStoresFileIsNotJudged) {
    EXPECT_EQ(problemsIn("[store]\nkind = 'etcd'\npath = 'x'\n[log]\ntarget = './x'"), Lines{});
    EXPECT_EQ(problemsIn("[store]\nkind = 'sqlite'\npath = 'x'\n[log]\ntarget = './x'").size(), 1U);
}

class EtcdFilesTest : public testing::Test {
protected:
    EtcdFilesTest() : folder_(testing::TempDir() + "crnpd-etcd-XXXXXX") {
        EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
    }
    ~EtcdFilesTest() override { std::filesystem::remove_all(folder_); }

    [[nodiscard]] std::string in(const std::string& name) const { return folder_ + '/' + name; }
    [[nodiscard]] std::string file(const std::string& name, mode_t mode, const std::string& text = "x") {
        std::ofstream(in(name)) << text;
        EXPECT_EQ(::chmod(in(name).c_str(), mode), 0);
        return in(name);
    }
    // The first of `lines` is line 5.
    [[nodiscard]] Lines problemsWith(const std::string& lines, const std::string& kind = "etcd") const {
        const auto text = "store.kind = '" + kind + "'\nstore.path = '" + in("no/such/r.db") +
                          "'\ncontrol.socket = '" + in("c.sock") + "'\n[store.etcd]\n" + lines;
        const auto loaded = loadSettingsFromText(text, "crnpd.toml");
        EXPECT_EQ(problemsOf(loaded), Lines{});
        Lines found;
        for (const auto& problem : checkEnvironment(loaded.settings(), loaded.origin()))
            found.push_back(problem.line());
        return found;
    }

private:
    std::string folder_;
};

TEST_F(EtcdFilesTest, FilesThatAreThereAreEnoughAndTheStoresFolderIsNotLookedAt) {
    EXPECT_EQ(problemsWith("ca_file = '" + file("ca", 0644) + "'\ncert_file = '" + file("cert", 0644) +
                           "'\nkey_file = '" + file("key", 0640) + "'\nusername = 'u'\npassword_file = '" +
                           file("password", 0600) + "'"),
              Lines{});
}

TEST_F(EtcdFilesTest, AFileThatIsMissingEmptyOrNoFileIsToldWithItsLine) {
    EXPECT_EQ(problemsWith("ca_file = '" + in("none") + "'"),
              Lines{"crnpd.toml:5: store.etcd.ca_file: cannot read \"" + in("none") +
                    "\": No such file or directory; allowed: a file that the server's user may read"});
    EXPECT_EQ(
        problemsWith("ca_file = '" + in(".") + "'"),
        Lines{"crnpd.toml:5: store.etcd.ca_file: \"" + in(".") + "\" is not a file; allowed: a file's path"});
    EXPECT_EQ(problemsWith("ca_file = '" + file("e", 0600, "") + "'"),
              Lines{"crnpd.toml:5: store.etcd.ca_file: \"" + in("e") + "\" is empty"});
}

TEST_F(EtcdFilesTest, ASecretIsNotForEverybody) {
    EXPECT_EQ(
        problemsWith("username = 'u'\npassword_file = '" + file("password", 0644) + "'"),
        Lines{"crnpd.toml:6: store.etcd.password_file: everybody may read or change \"" + in("password") +
              "\"; allowed: a file for the server's user and group alone (chmod o= FILE)"});
}

TEST_F(EtcdFilesTest, WithSqliteItsFilesAreNotLookedAt) {
    const auto problems = problemsWith("ca_file = '" + in("none") + "'", "sqlite");
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_TRUE(problems[0].starts_with("crnpd.toml:2: store.path: ")) << problems[0];
}

}  // namespace
}  // namespace crnpd::config
