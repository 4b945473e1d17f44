// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The language of the control socket: one line of JSON asks, lines of JSON answer (docs/protocol.md,
// "The control socket").
//
// Threads    Any. Errors become answers with "ok": false.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "server/control/operations.h"

namespace crnpd::control {

// Called for each line of the answer, without its line feed. False: nobody listens any more.
using WriteLine = std::function<bool(const std::string& line)>;

void dispatch(std::string_view request, Operations& operations, const WriteLine& write);

}  // namespace crnpd::control
