// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/service/notifier.h"

#include <cstdint>
#include <ctime>
#include <string>

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

namespace crnpd::service {
namespace {

void tell(const std::string& state) {
    ::sd_notify(0, state.c_str());
}

}  // namespace

void Notifier::ready() const {
    tell("READY=1");
}

void Notifier::reloading() const {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}",
                     static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000));
}

void Notifier::stopping() const {
    tell("STOPPING=1");
}

void Notifier::status(std::string_view text) const {
    tell(fmt::format("STATUS={}", text));
}

void Notifier::alive() const {
    tell("WATCHDOG=1");
}

std::optional<std::chrono::milliseconds> Notifier::watchdogTime() {
    std::uint64_t microseconds = 0;
    if (::sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
    return std::chrono::milliseconds(microseconds / 1000);
}

}  // namespace crnpd::service
