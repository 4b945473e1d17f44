// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// "Did you mean": what to say about a name that no setting has.
#pragma once

#include <string>
#include <string_view>

namespace crnpd::config {

// How many characters must be inserted, dropped, replaced or swapped with their neighbour.
[[nodiscard]] std::size_t editDistance(std::string_view left, std::string_view right);

// "max_client" is not a setting; did you mean "max_clients"?
[[nodiscard]] std::string unknownSetting(std::string_view section, std::string_view name);

// [limit] is not a section; did you mean [limits]?
[[nodiscard]] std::string unknownSection(std::string_view section);

}  // namespace crnpd::config
