// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The longer parts of the help text.
#pragma once

#include <string>

namespace crnpd::crnpctl {

[[nodiscard]] std::string examplesHelp();
[[nodiscard]] std::string eventSyntaxHelp();
[[nodiscard]] std::string repetitionHelp();
[[nodiscard]] std::string listenHelp();
[[nodiscard]] std::string exitStatusHelp();
// Only what the commands of the control socket end with.
[[nodiscard]] std::string controlExitStatusHelp();
[[nodiscard]] std::string roleExitStatusHelp();
[[nodiscard]] std::string stepDownHelp();
[[nodiscard]] std::string dumpHelp();
[[nodiscard]] std::string restoreHelp();
[[nodiscard]] std::string publishHelp();
[[nodiscard]] std::string eventsHelp();

}  // namespace crnpd::crnpctl
