// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The rest of what we need of etcd beside key_value.h: leases, and word of changes.
//
// Threads    Any; calls block for one attempt, follow() until it is told to stop or cannot go on.
// Errors     busy: no answer. notFound: no such lease; or, of follow(), the revision was compacted away.
//            noSpace, io, invalidArgument: the answer was no.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/result.h"
#include "server/etcd/key_value.h"

namespace crnpd::etcd {

class Leases {
public:
    virtual ~Leases() = default;
    // etcd counts in seconds and may grant more than it was asked for.
    [[nodiscard]] virtual Result<LeaseId> grant(std::chrono::seconds time) noexcept = 0;
    [[nodiscard]] virtual Result<void> keepAlive(LeaseId lease) noexcept = 0;
    // With it go the rows under it. A lease that is not there any more is no error.
    [[nodiscard]] virtual Result<void> revoke(LeaseId lease) noexcept = 0;
};

// What one revision changed, of the keys that are watched.
struct Event {
    Revision revision = 0;
    std::string key;
    std::optional<Row> row;  // nothing: the key was deleted
};

class Watches {
public:
    virtual ~Watches() = default;
    // Tells of every change from `from` on, of keys that begin with `prefix`, in order; all changes of a
    // revision in one call, never a part of them.
    using OnEvents = std::function<void(const std::vector<Event>& events)>;
    [[nodiscard]] virtual Result<void> follow(const std::string& prefix, Revision from,
                                              const OnEvents& onEvents, std::stop_token stop) noexcept = 0;
};

}  // namespace crnpd::etcd
