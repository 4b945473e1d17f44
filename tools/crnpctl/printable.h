// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Text that somebody else wrote, on its way to a terminal.
#pragma once

#include <string>
#include <string_view>

namespace crnpd::crnpctl {

// Control characters, which a terminal would obey, and broken UTF-8 become \xNN; a backslash stays.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace crnpd::crnpctl
