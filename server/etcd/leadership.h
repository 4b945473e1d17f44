// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Who leads, decided by transactions alone: the leader's key exists as long as its lease, and the revision at
// which it was created is the term. Both the election (which waits, keeps leases alive and watches) and the
// simulation stand on these.
//
// Promise    Two servers never get the same term, and a later leader has a higher one.
// Threads    Any. Each call is one transaction, of seize() up to three.
// Errors     busy: no answer, or no memory for it; standing again with the same lease finds out.
#pragma once

#include <optional>

#include "common/result.h"
#include "server/etcd/key_value.h"
#include "server/etcd/keys.h"
#include "server/store/election.h"

namespace crnpd::etcd {

struct Standing {
    std::optional<store::Term> term;  // ours, if we lead
    Leader leader;                    // who leads, otherwise
    LeaseId lease = 0;                // the leader's
    Revision revision = 0;            // as of which this is so: watch the key from the next one on
};

// Who leads, by reading alone: also where etcd is full and grants no lease. Nothing if nobody does, or
// whoever has `lease`. What is found may be somewhat old.
[[nodiscard]] Result<std::optional<Standing>> otherLeader(KeyValue& etcd, const Keys& keys,
                                                          LeaseId lease) noexcept;

// Leads if nobody does, or if the leader's key is under our `lease` already (an answer that was lost).
[[nodiscard]] Result<Standing> standFor(KeyValue& etcd, const Keys& keys, LeaseId lease,
                                        const Leader& self) noexcept;

// Leads whoever led before: for a node that is told so once the other one was fenced. Its term ends with it,
// so whatever it still does is refused.
[[nodiscard]] Result<Standing> seize(KeyValue& etcd, const Keys& keys, LeaseId lease,
                                     const Leader& self) noexcept;

// Takes the key away if it still has our term; somebody else is elected at once.
[[nodiscard]] Result<void> resign(KeyValue& etcd, const Keys& keys, store::Term term) noexcept;

}  // namespace crnpd::etcd
