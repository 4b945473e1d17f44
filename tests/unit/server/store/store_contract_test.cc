// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/support/store_contract.h"

#include "server/store/memory_store.h"
#include "server/store/sqlite_store.h"

namespace crnpd::store {
namespace {

class MemoryBacking final : public Backing {
public:
    std::unique_ptr<RegistrationStore> open() override { return std::make_unique<Shared>(*memory_); }

private:
    // A MemoryStore lives as long as its process; here it lives as long as the test.
    class Shared final : public RegistrationStore {
    public:
        explicit Shared(RegistrationStore& inner) : inner_(inner) {}
        Result<Snapshot> load() noexcept override { return inner_.load(); }
        std::size_t batchLimit() const noexcept override { return inner_.batchLimit(); }
        CommitOutcome carryOut(BatchId batch, std::span<const Change> changes,
                               const EventChanges& events) noexcept override {
            return inner_.commit(batch, changes, events);
        }
        CommitOutcome outcomeOf(BatchId batch, std::chrono::milliseconds limit) noexcept override {
            return inner_.outcomeOf(batch, limit);
        }

    private:
        RegistrationStore& inner_;
    };

    std::unique_ptr<MemoryStore> memory_ = std::make_unique<MemoryStore>();
};

class SqliteBacking final : public Backing {
public:
    std::unique_ptr<RegistrationStore> open() override {
        return std::make_unique<SqliteStore>(SqliteOptions{.path = folder_.store(), .vfs = {}});
    }

private:
    StoreFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract,
                         testing::Values(Kind{"memory", [] { return std::make_unique<MemoryBacking>(); }},
                                         Kind{"sqlite", [] { return std::make_unique<SqliteBacking>(); }}),
                         kindName);

}  // namespace
}  // namespace crnpd::store
