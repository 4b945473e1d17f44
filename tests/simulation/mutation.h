// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A deliberate mistake, put between the parts of the product that the simulation runs: the simulation must
// find it, or it finds nothing.
#pragma once

#include <functional>
#include <memory>

#include "server/etcd/key_value.h"
#include "server/store/registration_store.h"

namespace crnpd::simulation {

struct Mutation {
    using Etcd = std::unique_ptr<etcd::KeyValue>;
    using Store = std::unique_ptr<store::RegistrationStore>;

    // Null: as it is.
    std::function<Etcd(etcd::KeyValue&)> etcd;
    std::function<Store(store::RegistrationStore&)> store;
    // Only what clients were told counts against it (P1 to P3): neither a head of an older term nor a
    // SYSTEM_ERROR, which would give it away sooner.
    bool judgeByAnswersOnly = false;
};

[[nodiscard]] Mutation guardDropped();
[[nodiscard]] Mutation replyBeforeCommit();
[[nodiscard]] Mutation blindRetry();
[[nodiscard]] Mutation unknownRefused();
[[nodiscard]] Mutation settledUnconfirmed();
[[nodiscard]] Mutation fenceSkipped();
[[nodiscard]] Mutation eventsNotStored();
[[nodiscard]] Mutation lastNumberForgotten();

}  // namespace crnpd::simulation
