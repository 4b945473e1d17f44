// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What the committer tells those who deliver, after each commit and in the order of the commits.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/address.h"
#include "common/message.h"
#include "common/record.h"
#include "common/reply_gate.h"

namespace crnpd {

// Of what tells that a client lives, in the order in which it is told; never given twice by one server.
// Whoever asks for a client's removal says up to where it has heard: a client that spoke after that stays.
using NewsNumber = std::uint64_t;

struct EventPublished {
    Sequence sequence = 0;
    std::shared_ptr<const Event> event;
};

// A message of a client was carried out. One that changed nothing in the store (the repetition of an
// ADD_EVENTS) is told as `heard`: the client is alive.
struct ClientChanged {
    enum class How {
        joined,   // ADD_CLIENT: begins anew, is owed the state of all it asks for
        added,    // ADD_EVENTS: is owed the state of what it did not ask for before
        reduced,  // REMOVE_EVENTS
        heard,
    };

    How how = How::joined;
    ClientRecord record;              // as it is now
    std::string before;               // its registrations before this message; for `added` only
    std::shared_ptr<ReplyGate> gate;  // opens when the reply was written; null: there is nothing to wait for
    NewsNumber number = 0;
};

// REMOVE_CLIENT, or a removal by those who deliver.
struct ClientLeft {
    RecordId id = 0;
    CallbackAddress client;
    bool evicted = false;
};

// The store was read or filled anew: whatever was known is void.
struct AllReloaded {
    std::shared_ptr<const Snapshot> rows;
    NewsNumber number = 0;
};

using Committed = std::variant<EventPublished, ClientChanged, ClientLeft, AllReloaded>;

// Called on the committer's thread, before anybody is answered: when it has returned no event connection is
// begun any more to a client that left (P6), or for what a client asked for before it joined anew. Must not
// block for long and must not throw.
using Audience = std::function<void(std::vector<Committed>)>;

}  // namespace crnpd
