// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Asks again as long as nobody answers: the next member may, or etcd's next leader.
//
// Threads    One; abandon() from any.
// Errors     busy: nobody has answered within the limit, or it was abandoned. Copies may have been carried
//            out or may yet be. Anything else as key_value.h.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>

#include "common/clock.h"
#include "server/etcd/key_value.h"

namespace crnpd::etcd {

class Attempts {
public:
    using Wait = std::function<void(std::chrono::milliseconds)>;

    // All must outlive it. `pause` is between attempts that failed at once; `wait` waits that long.
    Attempts(KeyValue& etcd, const Clock& clock, std::chrono::milliseconds pause, Wait wait);

    [[nodiscard]] Result<TransactionAnswer> transact(const Transaction& transaction,
                                                     std::chrono::milliseconds limit);
    // At most `rows`, and fewer from the third attempt on (pages.h).
    [[nodiscard]] Result<Page> read(const std::string& prefix, const std::string& after, Revision at,
                                    std::size_t rows, std::chrono::milliseconds limit);

    // Calls `attempt` until it says that it is settled, or nobody is interested any more, or `limit` has
    // passed; at least once.
    void repeat(std::chrono::milliseconds limit, const std::function<bool()>& attempt);

    // From now on no attempt is repeated.
    void abandon() noexcept { abandoned_ = true; }
    [[nodiscard]] bool isAbandoned() const noexcept { return abandoned_; }

private:
    KeyValue& etcd_;
    const Clock& clock_;
    std::chrono::milliseconds pause_;
    Wait wait_;
    std::atomic<bool> abandoned_{false};
};

}  // namespace crnpd::etcd
