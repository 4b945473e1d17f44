// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Carries out `crnpctl restore`; see commands.h. Nothing is sent before the whole dump was checked.
#pragma once

#include "tools/crnpctl/commands.h"

namespace crnpd::crnpctl {

[[nodiscard]] ExitStatus carryOut(const RestoreCommand& command, const Process& process);

}  // namespace crnpd::crnpctl
