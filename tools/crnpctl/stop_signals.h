// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// SIGINT and SIGTERM as a descriptor, for a command that has something to put in order before it ends.
//
// Promise    The first of them makes the descriptor readable, by one byte, and does nothing else. The second
//            ends the process at once, whatever it is waiting for.
// Errors     The constructor throws std::system_error.
// Threads    Made before any other thread, so that all have these signals blocked; has one of its own.
#pragma once

#include <csignal>
#include <thread>

#include "common/unique_fd.h"

namespace crnpd::crnpctl {

class StopSignals {
public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    // Non-blocking.
    [[nodiscard]] int fd() const noexcept { return reader_.fd(); }

private:
    void watch();

    sigset_t signals_{};
    sigset_t before_{};  // what was blocked
    UniqueFd signalFd_;
    UniqueFd end_;  // an eventfd: the thread shall end
    UniqueFd reader_;
    UniqueFd writer_;
    std::thread thread_;
};

}  // namespace crnpd::crnpctl
