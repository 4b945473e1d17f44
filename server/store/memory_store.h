// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A store that keeps everything in memory and forgets it with the process: for tests only.
#pragma once

#include <map>
#include <string>

#include "server/store/registration_store.h"

namespace crnpd::store {

class MemoryStore final : public RegistrationStore {
public:
    [[nodiscard]] Result<Snapshot> load() noexcept override;
    [[nodiscard]] std::size_t batchLimit() const noexcept override { return 512; }
    [[nodiscard]] CommitOutcome carryOut(BatchId batch, std::span<const Change> changes,
                                         const EventChanges& events) noexcept override;
    [[nodiscard]] CommitOutcome outcomeOf(BatchId batch, std::chrono::milliseconds limit) noexcept override;

private:
    BatchId head_ = 0;
    std::map<RecordId, Change> rows_;
    std::map<Sequence, std::string> events_;
    MarkRecord mark_;
    Sequence last_ = 0;
};

}  // namespace crnpd::store
