// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The control socket's answers for a person. What others wrote is shown without its control characters.
#pragma once

#include <cstdint>
#include <iosfwd>

#include "tools/crnpctl/control_answers.h"

namespace crnpd::crnpctl {

void printStatus(std::ostream& out, const ServerStatus& status);

void printClientsHeader(std::ostream& out);
void printClientLine(std::ostream& out, const ClientLine& line);
void printClientsEnd(std::ostream& out, std::int64_t count);

// Each registration in the syntax that --event takes.
void printClientDetails(std::ostream& out, const ClientDetails& details);

void printAccessVerdict(std::ostream& out, const AccessVerdict& verdict);

}  // namespace crnpd::crnpctl
