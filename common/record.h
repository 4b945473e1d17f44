// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What the registry asks a store to keep, and what it gets back when it is loaded.
#pragma once

#include <cstdint>
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
    std::string registrations;  // as encodeRegistrations() writes them

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

// Each stands for the new content of the row with its id.
using Change = std::variant<ClientRecord, RemovalRecord, ForgottenRecord>;

// Everything a store holds, as of one batch.
struct Snapshot {
    BatchId head = 0;
    std::vector<ClientRecord> clients;
    std::vector<RemovalRecord> removals;

    friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

}  // namespace crnpd
