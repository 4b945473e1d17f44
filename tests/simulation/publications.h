// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Decides, while it goes on, whether what publishers of events were told can be true:
//
//     an event that was acknowledged is in the store of every later leader, under the number that was told
//     a number stands for one thing for ever, an event or a message of a client
//     numbers ascend in the order of the commits
//
// Threads    One.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/committed.h"
#include "common/record.h"

namespace crnpd::simulation {

class Publications {
public:
    using Report = std::function<void(const std::string& violation)>;

    explicit Publications(Report report) : report_(std::move(report)) {}

    // Unlike all others.
    [[nodiscard]] std::shared_ptr<const Event> invent();

    void acknowledged(const Event& event, Sequence sequence);
    [[nodiscard]] std::size_t acknowledged() const { return acknowledged_.size(); }

    // A leader tells what its commit had.
    void committed(BatchId batch, const std::vector<Committed>& told);

    // A leader has read the store; the first `before` had been acknowledged when it began to.
    void loaded(const Snapshot& rows, std::size_t before);

private:
    void know(Sequence sequence, const std::string& what);
    void order(BatchId batch, Sequence sequence);

    Report report_;
    unsigned invented_ = 0;
    std::vector<std::pair<Sequence, std::string>> acknowledged_;
    std::map<Sequence, std::string> known_;
    std::map<BatchId, std::pair<Sequence, Sequence>> spans_;  // the first and the last number of a batch
};

}  // namespace crnpd::simulation
