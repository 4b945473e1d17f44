// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What systemd is told (sd_notify(3), Type=notify): ready, status, reloading, stopping, and that we are
// alive. Without systemd (no NOTIFY_SOCKET) every call does nothing.
//
// Threads    Any.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace crnpd::service {

class Notifier {
public:
    // Serving its role: answering clients, or standing by for them.
    void ready() const;
    void reloading() const;
    void stopping() const;
    // One line for `systemctl status`.
    void status(std::string_view text) const;
    void alive() const;

    // The time within which systemd wants to hear alive() (WatchdogSec=); nothing if it does not.
    [[nodiscard]] static std::optional<std::chrono::milliseconds> watchdogTime();
};

}  // namespace crnpd::service
