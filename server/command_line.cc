// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/command_line.h"

#include <CLI/CLI.hpp>

#include "common/version.h"

namespace crnpd {

std::variant<Arguments, int> parseArguments(int argc, char** argv) {
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
    app.add_flag(
        "--revoke-lease", arguments.revokeLease,
        "let another server take over at once from one on this host that has died, by having its lease in "
        "etcd revoked, and end; for ExecStopPost= of the systemd unit. Does nothing where no lease is left "
        "over, or with another kind of store");
    app.set_version_flag("--version", "crnpd " + std::string(version));
    app.footer(
        "Signals: SIGHUP reads the settings again, SIGTERM and SIGINT end the server in good order.\n"
        "Exit codes: 0 in good order, 1 a fault (the log says which), 2 wrong arguments.");
    try {
        app.parse(argc, argv);
        return arguments;
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? exit_code::ok : exit_code::usage;
    }
}

}  // namespace crnpd
