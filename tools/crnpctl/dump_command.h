// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Carries out `crnpctl dump`; see commands.h. The file that was asked for takes its name once it is whole and
// on disk.
#pragma once

#include "tools/crnpctl/commands.h"

namespace crnpd::crnpctl {

[[nodiscard]] ExitStatus carryOut(const DumpCommand& command, const Process& process);

}  // namespace crnpd::crnpctl
