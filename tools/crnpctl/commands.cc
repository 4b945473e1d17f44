// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/commands.h"

#include "tools/crnpctl/client_commands.h"
#include "tools/crnpctl/control_commands.h"
#include "tools/crnpctl/dump_command.h"
#include "tools/crnpctl/events_command.h"
#include "tools/crnpctl/listen_command.h"
#include "tools/crnpctl/publish_command.h"
#include "tools/crnpctl/restore_command.h"
#include "tools/crnpctl/role_commands.h"

namespace crnpd::crnpctl {

ExitStatus run(const Command& command, const Process& process) {
    return std::visit([&](const auto& chosen) { return carryOut(chosen, process); }, command);
}

}  // namespace crnpd::crnpctl
