// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/missed_events.h"

#include <algorithm>
#include <utility>

namespace crnpd {
namespace {

constexpr std::string_view reasonPair = "reason";

}  // namespace

Event missedEvents(std::string publisher, std::string reason) {
    return {std::string(missedEventsClass),
            std::string(missedEventsSubclass),
            {},
            std::move(publisher),
            {{std::string(reasonPair), {std::move(reason)}}}};
}

bool isMissedEvents(const Event& event) noexcept {
    return event.eventClass == missedEventsClass && event.subclass == missedEventsSubclass;
}

std::string_view reasonOfMissedEvents(const Event& notice) noexcept {
    const auto reason = std::find_if(notice.pairs.begin(), notice.pairs.end(),
                                     [](const NvPair& pair) { return pair.name == reasonPair; });
    return reason == notice.pairs.end() || reason->values.empty() ? std::string_view{}
                                                                  : reason->values.front();
}

}  // namespace crnpd
