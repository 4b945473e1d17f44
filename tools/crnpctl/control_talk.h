// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What all commands of the control socket share: lines of an answer, and what to say when there are none.
#pragma once

#include <string>

#include "common/result.h"
#include "tools/crnpctl/commands.h"

namespace crnpd::crnpctl {

// Says it on the standard error.
ExitStatus complain(const Process& process, const Error& error);

// The next line of an answer that is not at its end yet.
[[nodiscard]] Result<std::string> lineOf(ControlClient& control, const std::string& socket);

// The answer to a request that has one line as its answer.
[[nodiscard]] Result<std::string> answerTo(const std::string& request, const ControlOptions& options);

}  // namespace crnpd::crnpctl
