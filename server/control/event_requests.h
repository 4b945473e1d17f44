// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The requests of the control socket that are about events: publish one, show the last ones.
//
// Threads    Any. Errors become answers with "ok": false.
#pragma once

#include <cstddef>

#include "common/message.h"
#include "common/result.h"
#include "server/control/json_line.h"
#include "server/control/operations.h"
#include "server/control/peer.h"

namespace crnpd::control {

inline constexpr std::size_t mostEvents = 1000;  // that one answer shows
inline constexpr std::size_t usualEvents = 20;

// {"request":"publish","event":{…}}
void publish(const Json& request, Operations& operations, const Peer& peer);
// {"request":"events","most":n}
void events(const Json& request, Operations& operations, const Peer& peer);

// How far the delivery to a client is, as client-show has it.
[[nodiscard]] Json progressJson(const Progress& progress);

// What every way to publish over the control socket does.
[[nodiscard]] Result<Sequence> publishAndLog(Event event, Operations& operations);

}  // namespace crnpd::control
