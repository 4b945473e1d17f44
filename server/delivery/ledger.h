// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What those who deliver have committed. The committer stands behind it.
//
// Threads    Called on the delivery's thread; must not block. `done` may be called on any thread, once,
//            also inside the call.
#pragma once

#include <functional>
#include <vector>

#include "common/address.h"
#include "common/committed.h"
#include "common/record.h"
#include "common/result.h"

namespace crnpd::delivery {

class Ledger {
public:
    virtual ~Ledger() = default;

    enum class Removal {
        removed,     // ClientLeft was told before
        spoke,       // the client was answered OK since, or is gone: nothing was changed
        impossible,  // not now: try again later
    };

    // Removes a client that cannot be reached, if it did not speak after what was heard of all clients up to
    // that number.
    virtual void remove(const CallbackAddress& client, NewsNumber heard,
                        std::function<void(Removal)> done) = 0;

    // Stores how far everybody is and deletes what nobody needs. Not kept: both may be said again later, and
    // until then what was released is released still.
    virtual void keep(MarkRecord mark, std::vector<Sequence> released,
                      std::function<void(bool kept)> done) = 0;
};

}  // namespace crnpd::delivery
