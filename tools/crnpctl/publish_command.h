// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Carries out `crnpctl publish`; see commands.h.
//
// Promise    ExitStatus::ok: the event is published, and durable. ExitStatus::unknown: nobody knows.
//            Anything else: it is not published, now or later.
#pragma once

#include "tools/crnpctl/commands.h"

namespace crnpd::crnpctl {

[[nodiscard]] ExitStatus carryOut(const PublishCommand& command, const Process& process);

}  // namespace crnpd::crnpctl
