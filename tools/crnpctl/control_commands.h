// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Carries out the commands that speak to a running server over its control socket; see commands.h.
#pragma once

#include "tools/crnpctl/commands.h"

namespace crnpd::crnpctl {

[[nodiscard]] ExitStatus carryOut(const StatusCommand& command, const Process& process);
[[nodiscard]] ExitStatus carryOut(const ClientsCommand& command, const Process& process);
[[nodiscard]] ExitStatus carryOut(const ClientShowCommand& command, const Process& process);
[[nodiscard]] ExitStatus carryOut(const ClientRemoveCommand& command, const Process& process);
[[nodiscard]] ExitStatus carryOut(const AccessTestCommand& command, const Process& process);

}  // namespace crnpd::crnpctl
