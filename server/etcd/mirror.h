// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The rows below a prefix of etcd, kept up to date change by change; with the sum of them, to hold against
// the head's. A plain value.
//
// Errors     damaged, foreign: a row cannot be one of ours. A mirror with an error is of no use any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "common/record.h"
#include "common/result.h"
#include "server/etcd/key_value.h"
#include "server/etcd/keys.h"
#include "server/etcd/warm_copy.h"

namespace crnpd::etcd {

class Mirror {
public:
    explicit Mirror(Keys keys) : keys_(std::move(keys)) {}

    // `row` is there now, whatever was under its key before. Keys that are none of a store's mean nothing.
    [[nodiscard]] Result<void> put(const Row& row);
    void erase(const std::string& key);

    // Whether what is here is what the head says; call it between two revisions only. Without a head nothing
    // may be here. While a restore is under way nobody can tell, and it is.
    [[nodiscard]] bool isComplete() const;
    // A restore was begun and not finished.
    [[nodiscard]] bool isFilling() const { return head_ && head_->isFilling; }
    // At which the head was put last; 0 if there is none.
    [[nodiscard]] Revision headRevision() const noexcept { return headRevision_; }

    // The last one that was committed.
    [[nodiscard]] BatchId batch() const noexcept { return head_ ? head_->batch : 0; }

    [[nodiscard]] std::size_t rows() const noexcept {
        return rows_.size() + events_.size() + (mark_ ? 1 : 0);
    }
    [[nodiscard]] std::size_t clients() const noexcept { return clients_; }
    // By id, as a store gives it. Nothing: two rows have the same id.
    [[nodiscard]] std::optional<Copy> copy() &&;

    // The same rows and the same head.
    friend bool operator==(const Mirror& a, const Mirror& b) {
        return a.headRevision_ == b.headRevision_ && a.head_ == b.head_ && a.sum_ == b.sum_ &&
               a.rows_ == b.rows_ && a.events_ == b.events_ && a.mark_ == b.mark_;
    }

private:
    struct Held {
        Change change;
        std::uint64_t digest = 0;

        friend bool operator==(const Held&, const Held&) = default;
    };

    // An event, or the mark.
    template <typename Record>
    struct HeldOf {
        Record record;
        std::uint64_t digest;

        friend bool operator==(const HeldOf&, const HeldOf&) = default;
    };

    [[nodiscard]] Result<void> putEvent(const Row& row);
    [[nodiscard]] Result<void> putMark(const Row& row);
    bool eraseDelivery(const std::string& key);

    Keys keys_;
    std::unordered_map<std::string, Held> rows_;
    std::size_t clients_ = 0;
    std::map<std::string, HeldOf<EventRecord>> events_;  // in the order of their numbers
    std::optional<HeldOf<MarkRecord>> mark_;
    Sum sum_;
    std::optional<Head> head_;
    Revision headRevision_ = 0;
};

}  // namespace crnpd::etcd
