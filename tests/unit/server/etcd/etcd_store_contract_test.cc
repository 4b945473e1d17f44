// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// EtcdStore keeps the contract of every store, over an etcd in memory.
#include "server/etcd/etcd_store.h"
#include "server/etcd/leadership.h"
#include "tests/support/simulated_etcd.h"
#include "tests/support/store_contract.h"

namespace crnpd::etcd {
namespace {

class SimulatedBacking final : public store::Backing {
public:
    std::unique_ptr<store::RegistrationStore> open() override {
        const auto lease = link_.grant(std::chrono::hours{1});
        const auto standing = seize(link_, Keys("/crnpd"), *lease, {"node" + std::to_string(*lease), ""});
        return std::make_unique<EtcdStore>(link_, clock_, *standing->term, EtcdStore::Options{}, nullptr);
    }

private:
    support::ManualClock clock_;
    support::SimulatedEtcd etcd_{clock_};
    support::SimulatedLink link_{etcd_};
};

const store::Kind simulated{"simulated_etcd", [] { return std::make_unique<SimulatedBacking>(); }};

}  // namespace
}  // namespace crnpd::etcd

namespace crnpd::store {

INSTANTIATE_TEST_SUITE_P(Etcd, StoreContract, testing::Values(etcd::simulated), kindName);
INSTANTIATE_TEST_SUITE_P(Etcd, SharedStoreContract, testing::Values(etcd::simulated), kindName);

}  // namespace crnpd::store
