// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/table.h"

#include <set>

#include "loading.h"

namespace crnpd::config {
namespace {

TEST(TableTest, EveryDefaultIsAllowedAndWrittenAsItStandsInTheTable) {
    const auto settings = defaultSettings();
    for (const auto& setting : settingsTable()) {
        EXPECT_EQ(setting.kind.write(settings), setting.defaultValue) << setting.fullName();
    }
}

TEST(TableTest, NoNameStandsTwiceInASection) {
    std::set<std::string> names;
    for (const auto& setting : settingsTable())
        EXPECT_TRUE(names.insert(setting.fullName()).second) << setting.fullName();
}

TEST(TableTest, TheRowsOfASectionStandTogether) {
    const auto names = sectionNames();
    EXPECT_EQ(names.size(), std::set(names.begin(), names.end()).size());
    EXPECT_EQ(names, (std::vector<std::string_view>{"limits", "store", "store.etcd", "control", "log"}));
}

TEST(TableTest, EverySettingSaysWhatItIsForAndWhatIsAllowed) {
    for (const auto& setting : settingsTable()) {
        EXPECT_TRUE(setting.meaning.ends_with('.')) << setting.fullName();
        EXPECT_FALSE(setting.kind.allowed.empty()) << setting.fullName();
    }
}

// Two rows that wrote to one place would undo each other.
TEST(TableTest, EachRowReadsAndWritesAPlaceOfItsOwn) {
    const auto defaults = defaultSettings();
    const auto changed = settingsOf(R"(
listen = ["127.0.0.1:1"]
allow_hosts = ["ALL"]
deny_hosts = ["192.0.2.1"]
max_clients = 7
workers = 3
vendor = "V"
client_timeout = "2s"
client_retry_count = 3
client_retry_interval = "9s"
bind_source_port = true
[limits]
message_bytes = 5000
message_time = "7s"
connections = 900
connections_per_address = 90
registrations_per_client = 9
removal_memory = "77s"
queue_events = 77
[store]
kind = "etcd"
path = "s"
[store.etcd]
endpoints = ["https://node1:2379"]
prefix = "/p"
lease = "7s"
attempt_time = "700ms"
commit_limit = "17s"
takeover = "seize"
ca_file = "ca"
cert_file = "cert"
key_file = "key"
username = "u"
password_file = "password"
[control]
socket = "c"
mode = "0600"
[log]
level = "warn"
target = "stderr"
format = "json"
)");
    for (const auto& setting : settingsTable()) {
        EXPECT_NE(setting.kind.write(changed), setting.kind.write(defaults)) << setting.fullName();
    }
}

TEST(TableTest, SettingsThatOnlyARestartChangesAreNamed) {
    const auto running = defaultSettings();
    EXPECT_EQ(restartOnlyDifferences(running, running), std::vector<std::string>{});

    auto wanted = settingsOf(
        "max_clients = 5\nworkers = 2\n[store]\npath = 'x'\n[store.etcd]\nlease = '9s'\n[log]\nlevel = "
        "'warn'\n"
        "[control]\nsocket = 'c'\nmode = '0600'");
    EXPECT_EQ(restartOnlyDifferences(running, wanted),
              (std::vector<std::string>{"workers", "store.path", "store.etcd.lease", "control.socket",
                                        "control.mode"}));
}

}  // namespace
}  // namespace crnpd::config
