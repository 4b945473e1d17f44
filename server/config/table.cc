// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/table.h"

#include <algorithm>

#include <sys/un.h>

#include "server/config/kinds.h"

namespace crnpd::config {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t longestPath = 4095;                                     // PATH_MAX without the NUL
constexpr std::size_t longestSocketPath = sizeof(sockaddr_un::sun_path) - 1;  // 107

const std::string accessEntries = R"(a list of "ADDRESS", "ADDRESS/MASKLENGTH", "LOCAL" and "ALL")";

void addTop(std::vector<Setting>& rows) {
    rows.push_back(
        {"", "listen", R"(["0.0.0.0:9444", "[::]:9444"])", Effect::reload,
         list<SocketAddress>(R"(a list of "IPV4-ADDRESS:PORT" and "[IPV6-ADDRESS]:PORT", port 0 = any)",
                             {1, 64}, at(&Settings::listen)),
         "Where clients register."});
    rows.push_back({"", "allow_hosts", R"(["LOCAL"])", Effect::reload,
                    list<access::AccessEntry>(accessEntries, {0, 10'000}, at(&Settings::allowHosts)),
                    "Which hosts may register."});
    rows.push_back({"", "deny_hosts", "[]", Effect::reload,
                    list<access::AccessEntry>(accessEntries, {0, 10'000}, at(&Settings::denyHosts)),
                    "Which of them may not; wins over allow_hosts."});
    rows.push_back({"", "max_clients", "1000", Effect::reload,
                    number({1, 10'000'000}, at(&Settings::maxClients)),
                    "How many clients may be registered at once."});
    rows.push_back({"", "workers", "0", Effect::restart, number({0, 64}, at(&Settings::workers)),
                    "Threads that serve connections; 0 = one for each core but one, from 1 to 4."});
}

void addDelivery(std::vector<Setting>& rows) {
    const auto in = [](auto member) { return at(&Settings::delivery, member); };
    rows.push_back({"", "vendor", R"("SUNW")", Effect::reload,
                    optionalName("a text", in(&DeliverySettings::vendor)),
                    "VENDOR of events that are published without one."});
    rows.push_back({"", "client_timeout", R"("1m")", Effect::reload,
                    time({1s, 1h}, in(&DeliverySettings::timeout)),
                    "How long one attempt to deliver an event may take."});
    rows.push_back({"", "client_retry_count", "10", Effect::reload,
                    number({1, 100}, in(&DeliverySettings::retryCount)),
                    "So many failed attempts in a row, the first included, and a client is removed."});
    rows.push_back({"", "client_retry_interval", R"("30m")", Effect::reload,
                    time({1s, 24h}, in(&DeliverySettings::retryInterval)),
                    "The time over which those attempts are spread."});
    rows.push_back({"", "bind_source_port", "false", Effect::reload,
                    yesOrNo(in(&DeliverySettings::bindSourcePort)),
                    "Whether events come from the port that the server listens on."});
}

void addLimits(std::vector<Setting>& rows) {
    const auto in = [](auto member) { return at(&Settings::limits, member); };
    rows.push_back({"limits", "message_bytes", "1048576", Effect::reload,
                    number({4096, 67'108'864}, in(&Limits::messageBytes)), "The longest message, in bytes."});
    rows.push_back({"limits", "message_time", R"("30s")", Effect::reload,
                    time({100ms, 1h}, in(&Limits::messageTime)),
                    "How long a client may take to send its whole message."});
    rows.push_back({"limits", "connections", "10000", Effect::reload,
                    number({1, 1'000'000}, in(&Limits::connections)), "Connections open at once."});
    rows.push_back({"limits", "connections_per_address", "1000", Effect::reload,
                    number({1, 1'000'000}, in(&Limits::connectionsPerAddress)),
                    "Connections open at once from one address; at most as many as connections."});
    rows.push_back({"limits", "registrations_per_client", "1000", Effect::reload,
                    number({1, 100'000}, in(&Limits::registrationsPerClient)),
                    "Event registrations that one client may have."});
    rows.push_back({"limits", "removal_memory", R"("24h")", Effect::reload,
                    time({1s, 24h * 365}, in(&Limits::removalMemory)),
                    "How long a removal is remembered, so that its repetition is answered OK."});
    rows.push_back({"limits", "queue_events", "10000", Effect::reload,
                    number({10, 1'000'000}, in(&Limits::queueEvents)),
                    "Events that may wait for one client before it gets the current state instead."});
}

void addStore(std::vector<Setting>& rows) {
    const auto in = [](auto member) { return at(&Settings::store, member); };
    rows.push_back({"store", "kind", R"("sqlite")", Effect::restart,
                    word<StoreKind>({StoreKind::sqlite, StoreKind::etcd}, in(&StoreSettings::kind)),
                    "Where registrations are kept."});
    rows.push_back({"store", "path", R"("/var/lib/crnpd/registrations.db")", Effect::restart,
                    path("a file's path; its folder must exist", longestPath, in(&StoreSettings::path)),
                    "The file that holds them, with kind = \"sqlite\"."});
}

void addEtcd(std::vector<Setting>& rows) {
    const auto in = [](auto member) { return at(&Settings::store, &StoreSettings::etcd, member); };
    const auto add = [&rows](std::string_view name, std::string_view defaultValue, Kind kind,
                             std::string_view meaning) {
        rows.push_back({"store.etcd", name, defaultValue, Effect::restart, std::move(kind), meaning});
    };
    add("endpoints", R"(["127.0.0.1:2379"])",
        list<Endpoint>(R"(a list of "HOST:PORT", "http://HOST:PORT" and "https://HOST:PORT")", {1, 16},
                       in(&EtcdSettings::endpoints)),
        "The members of etcd, with kind = \"etcd\".");
    add("prefix", R"("/crnpd")", keyPrefix(in(&EtcdSettings::prefix)), "What our keys in etcd begin with.");
    add("lease", R"("3s")", time({1s, 300s}, in(&EtcdSettings::lease)),
        "How long the active server may be silent before another one takes over.");
    add("attempt_time", R"("1s")", time({100ms, 60s}, in(&EtcdSettings::attemptTime)),
        "How long one member may take to answer before the next one is asked.");
    add("commit_limit", R"("10s")", time({1s, 10min}, in(&EtcdSettings::commitLimit)),
        "How long to look for the outcome of a write that nobody answered.");
    add("takeover", R"("wait")",
        word<Takeover>({Takeover::wait, Takeover::seize}, in(&EtcdSettings::takeover)),
        "Whether to wait for the lease of an active server to end, or to take its place at once.");
    const auto file = [&](std::string allowed, auto member) {
        return optionalPath(std::move(allowed), longestPath, in(member));
    };
    add("ca_file", R"("")", file("a file's path; empty = none", &EtcdSettings::caFile),
        "Certificates of the authorities that etcd's own certificate is checked with.");
    add("cert_file", R"("")", file("a file's path; empty = none", &EtcdSettings::certFile),
        "The certificate that this server shows to etcd.");
    add("key_file", R"("")", file("a file's path; empty = none", &EtcdSettings::keyFile),
        "The private key of cert_file.");
    add("username", R"("")", optionalName("a user's name; empty = none", in(&EtcdSettings::username)),
        "The user that this server is to etcd.");
    add("password_file", R"("")", file("a file's path; empty = none", &EtcdSettings::passwordFile),
        "The file with that user's password.");
}

void addControl(std::vector<Setting>& rows) {
    const auto in = [](auto member) { return at(&Settings::control, member); };
    rows.push_back({"control", "socket", R"("/run/crnpd/control.sock")", Effect::restart,
                    path("a path of at most 107 bytes; its folder must exist", longestSocketPath,
                         in(&ControlSettings::socket)),
                    "Where crnpctl reaches the server."});
    rows.push_back({"control", "mode", R"("0660")", Effect::restart, fileMode(in(&ControlSettings::mode)),
                    "Who may steer the server: the rights on that socket."});
}

void addLog(std::vector<Setting>& rows) {
    const auto in = [](auto member) { return at(&Settings::log, member); };
    rows.push_back(
        {"log", "level", R"("info")", Effect::reload,
         word<LogLevel>({LogLevel::trace, LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error},
                        in(&LogSettings::level)),
         "The least important messages that are still written."});
    rows.push_back({"log", "target", R"("auto")", Effect::reload, logTarget(in(&LogSettings::target)),
                    "Where messages go."});
    rows.push_back({"log", "format", R"("text")", Effect::reload,
                    word<LogFormat>({LogFormat::text, LogFormat::json}, in(&LogSettings::format)),
                    "Lines for people, or one JSON object a line."});
}

}  // namespace

std::string Setting::fullName() const {
    return section.empty() ? std::string(name) : std::string(section) + '.' + std::string(name);
}

std::string Setting::rule() const {
    return "Allowed: " + kind.allowed + ". Default: " + std::string(defaultValue) +
           ". A change counts after a " + (effect == Effect::restart ? "restart." : "reload.");
}

const std::vector<Setting>& settingsTable() {
    static const auto table = [] {
        std::vector<Setting> rows;
        addTop(rows);
        addDelivery(rows);
        addLimits(rows);
        addStore(rows);
        addEtcd(rows);
        addControl(rows);
        addLog(rows);
        return rows;
    }();
    return table;
}

const Setting* findSetting(std::string_view section, std::string_view name) {
    const auto& table = settingsTable();
    const auto found = std::ranges::find_if(
        table, [&](const Setting& setting) { return setting.section == section && setting.name == name; });
    return found == table.end() ? nullptr : &*found;
}

std::vector<std::string_view> sectionNames() {
    std::vector<std::string_view> names;
    for (const auto& setting : settingsTable()) {
        if (!setting.section.empty() && (names.empty() || names.back() != setting.section)) {
            names.push_back(setting.section);
        }
    }
    return names;
}

}  // namespace crnpd::config
