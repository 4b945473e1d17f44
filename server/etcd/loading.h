// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Begins a term on what etcd holds: makes the head ours, then reads all rows exactly as of that moment.
//
// Promise    What is returned is everything that was ever committed, and nothing is committed behind it but
//            by us: the head was put in a transaction that only our term could carry out, so whatever
//            earlier transactions are still under way find another head and are refused. What was read
//            before, which etcd may answer from the past, is confirmed by that transaction or read again.
// Threads    One; abandon() of Attempts from any.
// Errors     superseded: another server leads. busy: no answer, or no room, at the moment. foreign, damaged:
//            nothing was changed. io, invalidArgument as key_value.h.
#pragma once

#include <chrono>
#include <optional>

#include "server/etcd/attempts.h"
#include "server/etcd/key_value.h"
#include "server/etcd/keys.h"
#include "server/etcd/row_sums.h"
#include "server/etcd/warm_copy.h"

namespace crnpd::etcd {

struct Loaded {
    Head head;
    Revision headRevision = 0;
    Snapshot snapshot;
    RowSums rows;
};

class Loading {
public:
    struct Limits {
        std::chrono::milliseconds patience;  // without an answer, or without getting anywhere
        std::chrono::milliseconds catchUp;   // for the copy
    };

    // All must outlive it; `copy` may be null.
    Loading(Attempts& etcd, const Clock& clock, const Keys& keys, store::Term term, Limits limits,
            WarmCopy* copy);

    [[nodiscard]] Result<Loaded> load();

private:
    struct Seen {
        std::optional<Row> format;
        std::optional<Row> head;
    };

    [[nodiscard]] Result<Seen> look();
    [[nodiscard]] Result<Head> next(const Seen& seen) const;
    [[nodiscard]] Transaction fence(const Seen& seen, const Head& next) const;
    // Nothing: the head has moved, or the revision was compacted away; look again.
    [[nodiscard]] std::optional<Result<Loaded>> loadAt(Head head, Revision revision);
    [[nodiscard]] std::optional<Result<Loaded>> clear(Head head, Revision revision);
    [[nodiscard]] std::optional<Loaded> fromCopy(const Head& head, Revision revision);
    [[nodiscard]] std::optional<Result<Loaded>> fromRows(const Head& head, Revision revision);
    [[nodiscard]] Result<void> take(const Page& page, Loaded& loaded) const;
    [[nodiscard]] Result<void> takeEvents(const Page& page, Loaded& loaded) const;
    [[nodiscard]] Result<void> takeMark(const Page& page, Loaded& loaded) const;
    using Take = Result<void> (Loading::*)(const Page&, Loaded&) const;
    // All rows below `prefix`; notFound: the revision was compacted away.
    [[nodiscard]] Result<void> readBelow(const std::string& prefix, Take take, Loaded& loaded);

    Attempts& etcd_;
    const Clock& clock_;
    const Keys& keys_;
    store::Term term_;
    Limits limits_;
    WarmCopy* copy_;
};

// What a transaction that was refused because another server leads has found.
[[nodiscard]] Error supersededBy(const std::optional<Row>& leader);

}  // namespace crnpd::etcd
