// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A copy of the rows that a standby keeps up to date.
#pragma once

#include <chrono>
#include <optional>

#include "common/record.h"
#include "server/etcd/key_value.h"

namespace crnpd::etcd {

class WarmCopy {
public:
    WarmCopy() = default;
    virtual ~WarmCopy() = default;
    WarmCopy(const WarmCopy&) = delete;
    WarmCopy& operator=(const WarmCopy&) = delete;

    // The copy as of exactly `revision`, which is one at which the head was put; waits at most `limit` for it
    // to arrive. Nothing if it does not. May be called once for each leadership: the copy is given away.
    [[nodiscard]] virtual std::optional<Snapshot> takeAt(Revision revision,
                                                         std::chrono::milliseconds limit) noexcept = 0;
};

}  // namespace crnpd::etcd
