// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// How far the delivery is, for people.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/message.h"
#include "common/record.h"

namespace crnpd::delivery {

struct TriedAttempt {
    WallTime at{};
    Sequence event = 0;
    std::string result;  // "delivered", or why not
};

struct ClientProgress {
    RecordId id = 0;
    Sequence position = 0;    // it has everything up to here
    std::size_t waiting = 0;  // events, about
    unsigned failures = 0;    // in a row
    bool underWay = false;
    bool leaving = false;                             // given up; its removal is being committed
    std::vector<TriedAttempt> attempts;               // the last ones; empty while it has everything
    std::optional<std::chrono::milliseconds> nextIn;  // until the next attempt, if it waits for one
};

struct EventProgress {
    Sequence sequence = 0;
    std::shared_ptr<const Event> event;
    std::size_t wanted = 0;  // by how many clients
    std::size_t have = 0;    // how many of them
};

struct EventsProgress {
    std::vector<EventProgress> events;  // the last ones, ascending
    Sequence head = 0;
    MarkRecord mark;  // what was last stored
    std::size_t behind = 0;
};

}  // namespace crnpd::delivery
