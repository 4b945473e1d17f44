// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Where events come in. Whatever has events to tell publishes through this: the control socket today; the
// membership of Corosync, Pacemaker's resources and groups later.
//
// Promise    A number that is returned is the event's place in the one order of all, and the event is as
//            durable as an OK: it reaches every client that asked for it before.
// Missed     A source that could not watch for a while publishes what is the case now and then
//            missedEvents() of common/missed_events.h: all clients get the current state.
// Threads    Any, several at a time; publish() blocks as long as a commit takes.
// Errors     Nothing was published, now or later: noSpace, busy (repeat), io (the administrator is needed).
//            superseded: nobody knows; who repeats may publish it twice.
#pragma once

#include "common/message.h"
#include "common/record.h"
#include "common/result.h"

namespace crnpd::source {

class Publisher {
public:
    virtual ~Publisher() = default;
    [[nodiscard]] virtual Result<Sequence> publish(Event event) = 0;
};

}  // namespace crnpd::source
