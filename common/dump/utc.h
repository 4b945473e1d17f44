// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Times as a dump has them: "2025-01-31T12:00:00.123Z".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"

namespace crnpd::dump {

[[nodiscard]] std::string utcText(WallTime time);
// Exactly what utcText() writes, of the years 1970 to 9999.
[[nodiscard]] std::optional<WallTime> readUtc(std::string_view text);

}  // namespace crnpd::dump
