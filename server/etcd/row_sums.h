// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What each row adds to the sum of all of them, so that the sum can follow every change without reading a row
// again; and what a change of records means in keys and values.
//
// Promise    A row stays under the key under which it was put, whatever becomes of the interface in it: one
//            that is renamed or removed meanwhile would lead to another key, and no two rows share one.
// Threads    One.
// Errors     stage() and add() may run out of memory and then have changed nothing that shows; adopt() and
//            drop() cannot fail.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/record.h"
#include "server/etcd/key_value.h"
#include "server/etcd/keys.h"

namespace crnpd::etcd {

[[nodiscard]] RecordId idOf(const Change& change) noexcept;
[[nodiscard]] const CallbackAddress& clientOf(const Change& change) noexcept;

class RowSums {
public:
    // Changes on their way into the store.
    struct Staged {
        std::vector<Operation> operations;
        Sum sum;  // of all rows once they are there
        std::vector<std::pair<RecordId, std::optional<std::uint64_t>>> digests;
        std::vector<std::pair<Sequence, std::optional<std::uint64_t>>> events;
        std::optional<std::uint64_t> mark;
    };

    // The key of an address as of now.
    using KeyOf = std::function<std::string(const CallbackAddress&)>;

    explicit RowSums(const Keys& keys);
    RowSums(const Keys& keys, KeyOf keyOf);

    // A row that is in the store. False: another one has that id.
    [[nodiscard]] bool add(const Change& row, const std::string& key, const std::string& value);
    // The same of one whose digest is known.
    [[nodiscard]] bool add(const Change& row, const std::string& key, std::uint64_t digest);
    void reserve(std::size_t rows) { digests_.reserve(rows); }
    // An event that is in the store, and the mark; to be added once.
    void add(const EventRecord& event);
    void add(const MarkRecord& mark);
    [[nodiscard]] const Sum& sum() const noexcept { return sum_; }

    // The same without clients and removals.
    [[nodiscard]] RowSums ofEvents() const;

    // Nothing else may be staged before adopt() or drop().
    [[nodiscard]] Staged stage(std::span<const Change> changes, const EventChanges& events = {});
    void adopt(const Staged& staged) noexcept;
    void drop(const Staged& staged) noexcept;

private:
    // Without a digest: on its way, so that adopt() needs no memory.
    using Digests = std::unordered_map<RecordId, std::optional<std::uint64_t>>;

    [[nodiscard]] std::string keyFor(const Change& change) const;
    void stage(const Change& change, Staged& staged);
    void stage(const EventChanges& events, Staged& staged);
    void keep(const Change& row, const std::string& key);
    void forget(RecordId id) noexcept;

    Keys keys_;
    KeyOf keyOf_;
    Digests digests_;
    std::unordered_map<Sequence, std::optional<std::uint64_t>> events_;  // likewise
    std::optional<std::uint64_t> mark_;
    // Of rows with an interface in their key. What the key would be now is of no matter to them.
    std::unordered_map<RecordId, std::string> kept_;
    std::unordered_set<std::string> keysKept_;
    Sum sum_;
};

}  // namespace crnpd::etcd
