// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/service/pulse.h"

namespace crnpd::service {

std::vector<Pulse::Late> Pulse::beat(const std::vector<Member>& members) {
    std::erase_if(asked_, [](const Asked& asked) { return asked.work.expired(); });
    const auto now = clock_.steady();
    std::vector<Late> late;
    for (const auto& asked : asked_) {
        if (asked.isExcused()) continue;
        late.push_back({asked.name, std::chrono::duration_cast<std::chrono::seconds>(now - asked.since)});
    }
    if (!asked_.empty()) return late;

    for (const auto& member : members) {
        auto work = std::make_shared<int>(0);
        asked_.push_back({member.name, work, now, member.isExcused});
        member.hand([work = std::move(work)] {});
    }
    return late;
}

}  // namespace crnpd::service
