// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// All settings of the server as values. What each means, its default and its limits are in the table of
// table.cc and, for an administrator, in config/crnpd.toml.
//
// A Settings that load.h answered has passed every check that needs no look at the machine. One that is made
// here holds zeros; defaultSettings() makes the one of an empty file.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "common/address.h"
#include "server/access/access.h"
#include "server/config/endpoint.h"

namespace crnpd::config {

// [limits]
struct Limits {
    std::size_t messageBytes = 0;
    std::chrono::milliseconds messageTime{};
    std::uint32_t connections = 0;
    std::uint32_t connectionsPerAddress = 0;  // at most `connections`
    std::uint32_t registrationsPerClient = 0;
    std::chrono::seconds removalMemory{};
    std::size_t queueEvents = 0;

    friend bool operator==(const Limits&, const Limits&) = default;
};

// How events are sent: the settings at the top of the file.
struct DeliverySettings {
    std::string vendor;
    std::chrono::milliseconds timeout{};        // client_timeout
    unsigned retryCount = 0;                    // client_retry_count
    std::chrono::milliseconds retryInterval{};  // client_retry_interval
    bool bindSourcePort = false;

    friend bool operator==(const DeliverySettings&, const DeliverySettings&) = default;
};

enum class StoreKind { sqlite, etcd };
enum class Takeover { wait, seize };

// [store.etcd]. A file that is not set is empty.
struct EtcdSettings {
    std::vector<Endpoint> endpoints;  // at least one
    std::string prefix;               // "/crnpd"
    std::chrono::seconds lease{};
    std::chrono::milliseconds attemptTime{};  // less than `lease`
    std::chrono::milliseconds commitLimit{};  // at least `attemptTime`
    Takeover takeover = Takeover::wait;
    std::filesystem::path caFile;
    std::filesystem::path certFile;  // this and keyFile: both or none
    std::filesystem::path keyFile;
    std::string username;  // this and passwordFile: both or none
    std::filesystem::path passwordFile;

    // Whether TLS is spoken, then with every endpoint. Without a caFile the system's authorities count.
    [[nodiscard]] bool isSecure() const noexcept;

    friend bool operator==(const EtcdSettings&, const EtcdSettings&) = default;
};

// [store]
struct StoreSettings {
    StoreKind kind = StoreKind::sqlite;
    std::filesystem::path path;  // counts with `sqlite`
    EtcdSettings etcd;           // counts with `etcd`, and has passed the checks between settings only then

    // Where the registrations are, for a person: the file, or the endpoints and the prefix.
    [[nodiscard]] std::string place() const;

    friend bool operator==(const StoreSettings&, const StoreSettings&) = default;
};

// [control]
struct ControlSettings {
    std::filesystem::path socket;  // fits sockaddr_un
    mode_t mode = 0;

    friend bool operator==(const ControlSettings&, const ControlSettings&) = default;
};

enum class LogLevel { trace, debug, info, warn, error };
enum class LogFormat { text, json };

struct LogTarget {
    enum class Kind { automatic, journal, standardError, file };

    Kind kind = Kind::automatic;
    std::filesystem::path file;  // if kind is file, else empty

    friend bool operator==(const LogTarget&, const LogTarget&) = default;
};

// [log]
struct LogSettings {
    LogLevel level = LogLevel::info;
    LogTarget target;
    LogFormat format = LogFormat::text;

    friend bool operator==(const LogSettings&, const LogSettings&) = default;
};

struct Settings {
    std::vector<SocketAddress> listen;  // at least one; port 0 = any
    std::vector<access::AccessEntry> allowHosts;
    std::vector<access::AccessEntry> denyHosts;
    std::uint32_t maxClients = 0;
    unsigned workers = 0;  // 0 = one for each core but one, from 1 to 4
    DeliverySettings delivery;
    Limits limits;
    StoreSettings store;
    ControlSettings control;
    LogSettings log;

    friend bool operator==(const Settings&, const Settings&) = default;
};

// What an empty file means.
[[nodiscard]] Settings defaultSettings();

// All values in force as the text of a settings file, each with its meaning, limits and default. Loading it
// gives equal settings.
[[nodiscard]] std::string printSettings(const Settings& settings);

// Names ("store.path") of the settings whose new value waits for a restart, in the order of the file.
[[nodiscard]] std::vector<std::string> restartOnlyDifferences(const Settings& running,
                                                              const Settings& wanted);

// As written in the file.
[[nodiscard]] std::string_view name(StoreKind kind) noexcept;
[[nodiscard]] std::string_view name(Takeover takeover) noexcept;
[[nodiscard]] std::string_view name(LogLevel level) noexcept;
[[nodiscard]] std::string_view name(LogFormat format) noexcept;

}  // namespace crnpd::config
