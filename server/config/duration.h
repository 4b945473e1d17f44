// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Times as an administrator writes them: "500ms", "30s", "5m", "24h", "7d".
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/result.h"

namespace crnpd::config {

// One whole number and one unit, nothing between them. The error says what is wrong, without the text itself.
[[nodiscard]] Result<std::chrono::milliseconds> parseDuration(std::string_view text);

// In the largest unit up to hours that divides it, so that 24h stays 24h.
[[nodiscard]] std::string durationText(std::chrono::milliseconds duration);

}  // namespace crnpd::config
