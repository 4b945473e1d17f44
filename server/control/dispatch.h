// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The language of the control socket: one line of JSON asks (and the lines of a dump may follow), lines of
// JSON answer (docs/protocol.md, "The control socket").
//
// Threads    Any. Errors become answers with "ok": false.
#pragma once

#include <string_view>

#include "server/control/operations.h"
#include "server/control/peer.h"

namespace crnpd::control {

void dispatch(std::string_view request, Operations& operations, const Peer& peer);

}  // namespace crnpd::control
