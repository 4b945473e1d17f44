// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "loading.h"
#include "server/config/settings.h"

namespace crnpd::config {
namespace {

void expectReadBack(const Settings& settings) {
    const auto text = printSettings(settings);
    const auto loaded = loadSettingsFromText(text, "printed");
    ASSERT_EQ(problemsOf(loaded), std::vector<std::string>{}) << text;
    EXPECT_EQ(loaded.settings(), settings) << text;
}

TEST(PrintTest, TheDefaultsAreReadBack) {
    expectReadBack(defaultSettings());
}

TEST(PrintTest, ChangedSettingsAreReadBack) {
    expectReadBack(settingsOf(R"(
listen = ["127.0.0.1:0", "[fe80::1%lo]:9444"]
allow_hosts = ["10.0.0.0/8", "LOCAL", "2001:DB8::/32"]
deny_hosts = ["ALL"]
max_clients = 10000000
[limits]
message_time = "1500ms"
connections = 20
removal_memory = "90s"
[store]
kind = "etcd"
[store.etcd]
endpoints = ["https://node1.example.org:2379", "[2001:db8::1]:2379"]
prefix = "/site \"a\"/crnpd"
lease = "300s"
takeover = "seize"
ca_file = "/etc/crnpd/ca.pem"
[control]
mode = "0770"
[log]
level = "trace"
target = "/var/log/crnpd/crnpd.log"
format = "json"
)"));
}

TEST(PrintTest, OddPathsAreReadBack) {
    for (const auto* path :
         {R"(a \"b\" \\ c)", R"(tab\tline\nend)", R"(\u0001\u007f)", "smörgås/日本", "'#[x]=1", "$HOME/~"}) {
        expectReadBack(settingsOf("store.path = \"" + std::string(path) + '"'));
    }
}

TEST(PrintTest, EachValueComesWithItsMeaningLimitsAndDefault) {
    const auto text = printSettings(settingsOf("max_clients = 5"));
    EXPECT_NE(
        text.find("# How many clients may be registered at once.\n"
                  "# Allowed: a number from 1 to 10000000. Default: 1000. A change counts after a reload.\n"
                  "max_clients = 5\n"),
        std::string::npos)
        << text;
}

}  // namespace
}  // namespace crnpd::config
