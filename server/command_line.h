// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The command line of crnpd as a value.
#pragma once

#include <string>
#include <variant>

namespace crnpd {

namespace exit_code {
inline constexpr int ok = 0;
inline constexpr int failed = 1;
inline constexpr int usage = 2;
}  // namespace exit_code

struct Arguments {
    std::string config = "/etc/crnpd/crnpd.toml";
    bool check = false;
    bool print = false;
    bool revokeLease = false;
};

// Or the exit code, when all was said: --help, --version, or what is wrong with the command line.
[[nodiscard]] std::variant<Arguments, int> parseArguments(int argc, char** argv);

}  // namespace crnpd
