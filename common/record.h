// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What the registry asks a store to keep, and what it gets back when it is loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/address.h"
#include "common/clock.h"

namespace crnpd {

// A client's row. Given by the registry in ascending order, so that a store can append; an address
// keeps its id for as long as it is registered or remembered as removed. Never 0.
using RecordId = std::uint64_t;

// The n-th batch that was ever committed to a store; 0 is "none yet".
using BatchId = std::uint64_t;

// The place of an event, or of a registration that is owed the current state, in the one order of them all. 0
// is before the first. The numbers ascend, never repeat, and may leave some out.
using Sequence = std::uint64_t;

// A registered client.
struct ClientRecord {
    RecordId id = 0;
    CallbackAddress client;
    std::string registrations;  // as encodeRegistrations() writes them; a store has checked what it reads
    // The address of this server to which its last message came: events come from there. 0.0.0.0 where nobody
    // knows: a row of format 1.
    IpAddress via{};
    Sequence joined = 0;  // the number of its last ADD_CLIENT
    Sequence added = 0;   // that of its last ADD_CLIENT or ADD_EVENTS that brought something new

    friend bool operator==(const ClientRecord&, const ClientRecord&) = default;
};

// A client that was removed and is remembered, so that a repeated removal is answered OK
// (section 4 of docs/protocol.md). Takes the place of the ClientRecord with the same id.
struct RemovalRecord {
    RecordId id = 0;
    CallbackAddress client;
    WallTime removedAt{};

    friend bool operator==(const RemovalRecord&, const RemovalRecord&) = default;
};

// A removal whose time of being remembered is over: the row goes.
struct ForgottenRecord {
    RecordId id = 0;
    CallbackAddress client;

    friend bool operator==(const ForgottenRecord&, const ForgottenRecord&) = default;
};

// An event that was published. Its row stays until everybody has it and it is current no more.
struct EventRecord {
    Sequence sequence = 0;
    std::string event;  // as encodeEvent() writes it; a store has checked what it reads

    friend bool operator==(const EventRecord&, const EventRecord&) = default;
};

// How far the delivery is, or was some time ago: everybody has everything up to `upTo`, but these. There is
// one.
struct MarkRecord {
    struct Laggard {
        RecordId client = 0;
        Sequence position = 0;  // below upTo

        friend bool operator==(const Laggard&, const Laggard&) = default;
    };

    Sequence upTo = 0;
    std::vector<Laggard> laggards;  // sorted by client

    friend bool operator==(const MarkRecord&, const MarkRecord&) = default;
};

// What became of an event that a standby has posted into the shared store: takes the place of the post, in
// the commit that has the event.
struct PostedAnswer {
    std::string post;       // which, as the store calls it
    Sequence sequence = 0;  // the event's

    friend bool operator==(const PostedAnswer&, const PostedAnswer&) = default;
};

// Each stands for the new content of the row with its id.
using Change = std::variant<ClientRecord, RemovalRecord, ForgottenRecord>;

// What one commit changes besides rows of clients.
struct EventChanges {
    std::vector<EventRecord> published{};  // ascending
    std::vector<Sequence> released{};      // events that nobody needs any more; one that has gone is no error
    std::optional<MarkRecord> mark{};
    std::vector<PostedAnswer> answered{};

    // Operations that it takes of a store, for its batchLimit().
    [[nodiscard]] std::size_t size() const noexcept {
        return published.size() + released.size() + (mark ? 1 : 0) + answered.size();
    }

    friend bool operator==(const EventChanges&, const EventChanges&) = default;
};

// Everything a store holds, as of one batch.
struct Snapshot {
    BatchId head = 0;
    std::vector<ClientRecord> clients;
    std::vector<RemovalRecord> removals;
    std::vector<EventRecord> events{};  // ascending
    MarkRecord mark{};
    Sequence last = 0;  // the greatest number that any committed change ever had

    friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

}  // namespace crnpd
