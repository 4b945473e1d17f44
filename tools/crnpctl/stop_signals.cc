// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/stop_signals.h"

#include <array>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace crnpd::crnpctl {
namespace {

void check(bool done, const char* what) {
    if (!done) throw std::system_error(errno, std::generic_category(), what);
}

void waitFor(int fd, int orFd) {
    std::array<pollfd, 2> entries{{{fd, POLLIN, 0}, {orFd, POLLIN, 0}}};
    while (::poll(entries.data(), entries.size(), -1) < 0 && errno == EINTR) {
    }
}

}  // namespace

StopSignals::StopSignals() {
    ::sigemptyset(&signals_);
    ::sigaddset(&signals_, SIGINT);
    ::sigaddset(&signals_, SIGTERM);
    const int blocked = ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
    if (blocked != 0) throw std::system_error(blocked, std::generic_category(), "pthread_sigmask");
    signalFd_.reset(::signalfd(-1, &signals_, SFD_CLOEXEC | SFD_NONBLOCK));
    check(static_cast<bool>(signalFd_), "signalfd");
    end_.reset(::eventfd(0, EFD_CLOEXEC));
    check(static_cast<bool>(end_), "eventfd");
    std::array<int, 2> ends{};
    check(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0, "pipe2");
    reader_.reset(ends[0]);
    writer_.reset(ends[1]);
    thread_ = std::thread([this] { watch(); });
}

StopSignals::~StopSignals() {
    ::eventfd_write(end_.fd(), 1);
    thread_.join();
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

// A thread of its own, because the command may wait where no descriptor can wake it: for the system's
// resolver, or for a terminal that takes nothing.
void StopSignals::watch() {
    waitFor(signalFd_.fd(), end_.fd());
    signalfd_siginfo signal{};
    if (::read(signalFd_.fd(), &signal, sizeof(signal)) != sizeof(signal)) return;
    const char byte = 0;
    // The pipe is empty, so there is room.
    if (::write(writer_.fd(), &byte, 1) != 1) return;
    // The next one finds this thread, and the default action ends the process.
    ::pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
    waitFor(-1, end_.fd());
}

}  // namespace crnpd::crnpctl
