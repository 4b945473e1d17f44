// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// crnpd: arguments, settings, run, exit code.

#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "server/backend.h"
#include "server/command_line.h"
#include "server/config/load.h"
#include "server/server.h"

namespace {

using namespace crnpd;

int tellProblems(const std::vector<config::Problem>& problems) {
    for (const auto& problem : problems)
        std::cerr << problem.line() << '\n';
    return exit_code::failed;
}

// Best effort: without it another server takes over when the lease has run out.
int revoke(const config::Settings& settings) {
    const auto revoked = revokeLease(settings);
    if (revoked) {
        if (*revoked) std::cout << "crnpd: the lease was revoked: another server takes over at once\n";
        return exit_code::ok;
    }
    std::cerr << "crnpd: the lease was not revoked, so another server takes over only when it has run out: "
              << revoked.error().text << '\n';
    return exit_code::failed;
}

int run(const Arguments& arguments) {
    const auto loaded = config::loadSettings(arguments.config);
    if (!loaded) return tellProblems(loaded.problems());
    if (arguments.print) {
        std::cout << config::printSettings(loaded.settings());
        return exit_code::ok;
    }
    // A peer or a log reader that goes away is an error of one write, not the end of the process.
    std::signal(SIGPIPE, SIG_IGN);
    // Before the look at the machine: whatever is missing now, the lease is to go.
    if (arguments.revokeLease) return revoke(loaded.settings());
    if (const auto problems = config::checkEnvironment(loaded.settings(), loaded.origin());
        !problems.empty()) {
        return tellProblems(problems);
    }
    if (arguments.check) {
        std::cout << arguments.config << ": no mistakes found\n";
        return exit_code::ok;
    }
    return Server(arguments.config, loaded.settings()).run();
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const auto parsed = parseArguments(argc, argv);
        if (const auto* const code = std::get_if<int>(&parsed)) return *code;
        return run(std::get<Arguments>(parsed));
    } catch (const std::exception& fault) {
        std::cerr << "crnpd: cannot start: " << fault.what() << '\n';
        return exit_code::failed;
    }
}
