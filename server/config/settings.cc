// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/settings.h"

#include <algorithm>

#include "server/config/load.h"
#include "server/config/table.h"

namespace crnpd::config {

bool EtcdSettings::isSecure() const noexcept {
    return !caFile.empty() || !certFile.empty() ||
           std::ranges::any_of(endpoints, [](const Endpoint& endpoint) {
               return endpoint.scheme() == Endpoint::Scheme::https;
           });
}

std::string StoreSettings::place() const {
    if (kind == StoreKind::sqlite) return path;
    std::string text;
    for (const auto& endpoint : etcd.endpoints)
        text += (text.empty() ? "" : ",") + endpoint.hostAndPort();
    return text + etcd.prefix;
}

Settings defaultSettings() {
    return loadSettingsFromText("", "defaults").settings();
}

std::vector<std::string> restartOnlyDifferences(const Settings& running, const Settings& wanted) {
    std::vector<std::string> names;
    for (const auto& setting : settingsTable()) {
        if (setting.effect != Effect::restart) continue;
        if (setting.kind.write(running) != setting.kind.write(wanted)) names.push_back(setting.fullName());
    }
    return names;
}

std::string_view name(StoreKind kind) noexcept {
    switch (kind) {
        case StoreKind::sqlite:
            return "sqlite";
        case StoreKind::etcd:
            return "etcd";
    }
    return "?";
}

std::string_view name(Takeover takeover) noexcept {
    return takeover == Takeover::seize ? "seize" : "wait";
}

std::string_view name(LogLevel level) noexcept {
    switch (level) {
        case LogLevel::trace:
            return "trace";
        case LogLevel::debug:
            return "debug";
        case LogLevel::info:
            return "info";
        case LogLevel::warn:
            return "warn";
        case LogLevel::error:
            return "error";
    }
    return "?";
}

std::string_view name(LogFormat format) noexcept {
    return format == LogFormat::json ? "json" : "text";
}

}  // namespace crnpd::config
