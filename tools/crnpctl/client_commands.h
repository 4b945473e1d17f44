// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Carries out the commands that speak CRNP to a server; see commands.h.
#pragma once

#include "tools/crnpctl/commands.h"

namespace crnpd::crnpctl {

[[nodiscard]] ExitStatus carryOut(const RegistrationCommand& command, const Process& process);
[[nodiscard]] ExitStatus carryOut(const SendCommand& command, const Process& process);

}  // namespace crnpd::crnpctl
