// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The requests of the control socket that carry a whole dump: out of this server, or into it.
//
// Threads    Any. Errors become answers with "ok": false.
#pragma once

#include "server/control/operations.h"
#include "server/control/peer.h"

namespace crnpd::control {

// Answers with the lines of a dump.
void sendDump(Operations& operations, const Peer& peer);

// Reads the lines of a dump. Nothing is changed before all of it was there and right.
void takeDump(Operations& operations, const Peer& peer);

}  // namespace crnpd::control
