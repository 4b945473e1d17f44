// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Ends something that waits: when its caller is told to stop, when a time has passed, or on demand.
//
// Threads    Any; has one of its own for the time.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace crnpd::etcd {

// Waits for `time` or until told to stop; without memory for that, for a short time that nobody can end.
inline void pauseFor(std::chrono::milliseconds time, const std::stop_token& stop) noexcept {
    constexpr std::chrono::milliseconds shortTime{10};
    try {
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        never.wait_for(lock, stop, time, [] { return false; });
    } catch (const std::exception&) {
        std::this_thread::sleep_for(std::min(time, shortTime));
    }
}

class StopAfter {
public:
    StopAfter(const std::stop_token& outer, std::chrono::milliseconds time)
        : onOuter_(outer, [this] { source_.request_stop(); }),
          timer_([this, time](const std::stop_token& own) {
              pauseFor(time, own);
              source_.request_stop();
          }) {}

    [[nodiscard]] std::stop_token token() const noexcept { return source_.get_token(); }
    void now() noexcept { source_.request_stop(); }

private:
    std::stop_source source_;
    std::stop_callback<std::function<void()>> onOuter_;
    std::jthread timer_;
};

}  // namespace crnpd::etcd
