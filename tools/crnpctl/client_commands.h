// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Carries out the commands that speak CRNP to a server; see commands.h.
#pragma once

#include <vector>

#include "common/address.h"
#include "common/result.h"
#include "tools/crnpctl/commands.h"

namespace crnpd::crnpctl {

// Where to send a client's message: the addresses of the server that can be reached from --source. Errors:
// as those of resolve(); invalidArgument where there are none.
[[nodiscard]] Result<std::vector<SocketAddress>> reachable(const ClientOptions& options);

[[nodiscard]] ExitStatus carryOut(const RegistrationCommand& command, const Process& process);
[[nodiscard]] ExitStatus carryOut(const SendCommand& command, const Process& process);

}  // namespace crnpd::crnpctl
