// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The greatest number that a commit has: what Snapshot::last is made of.
#pragma once

#include <algorithm>
#include <span>
#include <variant>

#include "common/record.h"

namespace crnpd::store {

[[nodiscard]] inline Sequence greatestNumber(std::span<const Change> changes,
                                             const EventChanges& events) noexcept {
    Sequence greatest = 0;
    for (const auto& change : changes) {
        if (const auto* client = std::get_if<ClientRecord>(&change))
            greatest = std::max({greatest, client->joined, client->added});
    }
    for (const auto& event : events.published)
        greatest = std::max(greatest, event.sequence);
    return greatest;
}

}  // namespace crnpd::store
