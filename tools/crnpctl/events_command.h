// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Carries out `crnpctl events`; see commands.h.
#pragma once

#include "tools/crnpctl/commands.h"

namespace crnpd::crnpctl {

[[nodiscard]] ExitStatus carryOut(const EventsCommand& command, const Process& process);

}  // namespace crnpd::crnpctl
