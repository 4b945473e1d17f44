// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What must hold between settings, beyond the limits of each.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "server/config/load.h"

namespace crnpd::config {

// Defaults that depend on another setting: connections_per_address follows a smaller connections,
// attempt_time a short lease.
void adaptDefaults(Settings& settings, const Origin& origin);

// `refused` names the settings whose value was not accepted: what depends on them is not judged.
[[nodiscard]] std::vector<Problem> checkRelations(const Settings& settings, const Origin& origin,
                                                  const std::set<std::string>& refused);

}  // namespace crnpd::config
