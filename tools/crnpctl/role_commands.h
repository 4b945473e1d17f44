// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Carries out the commands about which server is active; see commands.h.
#pragma once

#include "tools/crnpctl/commands.h"

namespace crnpd::crnpctl {

[[nodiscard]] ExitStatus carryOut(const RoleCommand& command, const Process& process);
[[nodiscard]] ExitStatus carryOut(const StepDownCommand& command, const Process& process);

}  // namespace crnpd::crnpctl
