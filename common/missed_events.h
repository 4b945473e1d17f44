// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The notice that events may have been missed: what a source publishes that could not watch for a while
// (section 7 of docs/protocol.md). Clients are then sent the current state of all that they asked for.
//
// Event      The notice is an event like any other, of a type of our own. So it has its place in the one
//            order of all, is as durable as they are, may be published on any node, and a new leader finds it
//            in the store: it is the latest of its type. A client may register for it, too.
// Threads    Any.
#pragma once

#include <string>
#include <string_view>

#include "common/message.h"

namespace crnpd {

inline constexpr std::string_view missedEventsClass = "EC_crnpd";
inline constexpr std::string_view missedEventsSubclass = "ESC_crnpd_events_missed";

// VENDOR is left to whoever publishes. `reason` is for people: what could not be watched, and since when.
[[nodiscard]] Event missedEvents(std::string publisher, std::string reason);

[[nodiscard]] bool isMissedEvents(const Event& event) noexcept;

// Empty where the notice, which anybody may have written, gives none.
[[nodiscard]] std::string_view reasonOfMissedEvents(const Event& notice) noexcept;

}  // namespace crnpd
