// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// crnpd: arguments, settings, run, exit code.

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

#include "common/version.h"
#include "server/config/load.h"
#include "server/server.h"

namespace {

constexpr int ok = 0;
constexpr int failed = 1;
constexpr int usage = 2;

int tellProblems(const std::vector<crnpd::config::Problem>& problems) {
    for (const auto& problem : problems)
        std::cerr << problem.line() << '\n';
    return failed;
}

struct Arguments {
    std::string config = "/etc/crnpd/crnpd.toml";
    bool check = false;
    bool print = false;
};

int run(const Arguments& arguments) {
    const auto loaded = crnpd::config::loadSettings(arguments.config);
    if (!loaded) return tellProblems(loaded.problems());
    if (arguments.print) {
        std::cout << crnpd::config::printSettings(loaded.settings());
        return ok;
    }
    if (const auto problems = crnpd::config::checkEnvironment(loaded.settings(), loaded.origin());
        !problems.empty()) {
        return tellProblems(problems);
    }
    if (arguments.check) {
        std::cout << arguments.config << ": no mistakes found\n";
        return ok;
    }
    // A peer or a log reader that goes away is an error of one write, not the end of the process.
    std::signal(SIGPIPE, SIG_IGN);
    return crnpd::Server(arguments.config, loaded.settings()).run();
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{
        "crnpd, the CRNP registration server. Takes registrations of clients, keeps them safe and answers "
        "each."};
    app.name("crnpd");
    app.add_option("--config", arguments.config, "settings file")->type_name("FILE")->capture_default_str();
    app.add_flag("--check-config", arguments.check,
                 "check the settings, say what is wrong and end (exit code 0 or 1)");
    app.add_flag("--print-config", arguments.print,
                 "print the settings in force with their defaults and end");
    app.set_version_flag("--version", "crnpd " + std::string(crnpd::version));
    app.footer(
        "Signals: SIGHUP reads the settings again, SIGTERM and SIGINT end the server in good order.\n"
        "Exit codes: 0 in good order, 1 a fault (the log says which), 2 wrong arguments.");
    try {
        app.parse(argc, argv);
        return run(arguments);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? ok : usage;
    } catch (const std::exception& fault) {
        std::cerr << "crnpd: cannot start: " << fault.what() << '\n';
        return failed;
    }
}
