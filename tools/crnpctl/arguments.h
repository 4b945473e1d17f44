// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The command line as a value.
//
// Threads    A free function without state.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/result.h"
#include "tools/crnpctl/commands.h"

namespace crnpd::crnpctl {

// Nothing to do but to say this: --help, --version, or what is wrong with the command line.
struct Saying {
    std::string out;  // for the standard output
    std::string err;  // for the standard error
    ExitStatus status = ExitStatus::ok;
};

// `arguments` without the program's name.
[[nodiscard]] std::variant<Command, Saying> parseArguments(std::vector<std::string> arguments,
                                                           const std::string& version);

// "500ms", "10s", "2m"; more than nothing and at most an hour. Errors: invalidArgument.
[[nodiscard]] Result<std::chrono::milliseconds> parseDuration(std::string_view text);

}  // namespace crnpd::crnpctl
