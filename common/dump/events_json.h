// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Event registrations as JSON, in dumps and at the control socket (docs/protocol.md, "The control socket").
//
//     [{"class":"C","subclass":"S","pairs":[{"name":"n","values":["v"]}]}]
//
// Threads    Free functions without state.
#pragma once

#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/message.h"

namespace crnpd::dump {

[[nodiscard]] nlohmann::ordered_json eventsJson(const std::vector<EventRegistration>& events);

// Nothing where it has another shape, or text that XML could not carry. Each comes normalize()d.
[[nodiscard]] std::optional<std::vector<EventRegistration>> eventsIn(const nlohmann::json& list);

}  // namespace crnpd::dump
