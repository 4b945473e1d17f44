// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A copy of the rows that a standby keeps up to date, so that it need not read them when it is elected.
//
// Threads    takeAt() blocks its caller; who keeps the copy up to date is another thread's matter.
#pragma once

#include <chrono>
#include <optional>

#include "common/record.h"
#include "server/etcd/key_value.h"
#include "server/etcd/row_sums.h"

namespace crnpd::etcd {

struct Copy {
    Snapshot snapshot;
    RowSums rows;  // of what is in the snapshot, under the keys that it has in etcd
};

class WarmCopy {
public:
    virtual ~WarmCopy() = default;
    // The copy as of exactly `revision`, which is one at which the head was put; waits at most `limit` for it
    // to arrive, or, while it is being made, for each next part of it. Nothing if it does not. May be called
    // once for each leadership: the copy is given away.
    [[nodiscard]] virtual std::optional<Copy> takeAt(Revision revision,
                                                     std::chrono::milliseconds limit) noexcept = 0;
};

}  // namespace crnpd::etcd
