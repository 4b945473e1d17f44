// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// crnpctl: the command line to try the protocol as a client and to look at and steer a running server.
#include <csignal>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <poll.h>
#include <unistd.h>

#include "common/xml/runtime.h"
#include "tools/crnpctl/arguments.h"
#include "tools/crnpctl/commands.h"
#include "tools/crnpctl/stop_signals.h"

namespace {

using crnpd::crnpctl::ExitStatus;

// Who reads our output may stop reading it (`crnpctl clients | head`): that is no error.
bool readerHasGone() {
    pollfd out{STDOUT_FILENO, POLLOUT, 0};
    return ::poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

int finish(ExitStatus status) {
    std::cout.flush();
    if (!std::cout && !readerHasGone()) {
        std::cerr << "crnpctl: cannot write the output" << std::endl;
        if (status == ExitStatus::ok) status = ExitStatus::failed;
    }
    return static_cast<int>(status);
}

int say(const crnpd::crnpctl::Saying& saying) {
    std::cout << saying.out;
    std::cerr << saying.err;
    return finish(saying.status);
}

}  // namespace

int main(int argc, char** argv) {
    std::ios::sync_with_stdio(false);
    std::signal(SIGPIPE, SIG_IGN);
    try {
        const auto parsed = crnpd::crnpctl::parseArguments(
            std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc), CRNPD_VERSION);
        if (const auto* const saying = std::get_if<crnpd::crnpctl::Saying>(&parsed)) return say(*saying);
        const crnpd::xml::Runtime runtime;
        // Any other command is ended by the signals themselves.
        std::optional<crnpd::crnpctl::StopSignals> signals;
        const crnpd::crnpctl::Process process{
            std::cin, std::cout, std::cerr,
            [](std::chrono::milliseconds pause) { std::this_thread::sleep_for(pause); },
            [&signals] { return signals.emplace().fd(); }};
        return finish(run(std::get<crnpd::crnpctl::Command>(parsed), process));
    } catch (const std::exception& error) {
        std::cerr << "crnpctl: " << error.what() << std::endl;
        return static_cast<int>(ExitStatus::failed);
    }
}
