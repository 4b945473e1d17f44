// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Collects an SC_EVENT, see collector.h. Inside this folder only.
//
// Threads    One thread at a time.
#pragma once

#include <vector>

#include "common/message.h"
#include "common/xml/collector.h"

namespace crnpd::xml {

class EventCollector final : public Collector {
public:
    using Value = Event;
    struct Limits {
        std::size_t depth = 64;  // elements inside each other; a valid document has 3
    };

    explicit EventCollector(const PooledSchema& schema) : Collector(schema, 2) {}

    [[nodiscard]] Result<Event> read(std::string_view document, const Prolog& prolog, const Limits& limits);

private:
    void onOpened(std::size_t level, const Attributes& attributes, std::size_t count) override;
    void onClosed(std::size_t /*level*/) override {}
    std::vector<NvPair>& pairs() override { return event_.pairs; }

    Event event_;
};

}  // namespace crnpd::xml
