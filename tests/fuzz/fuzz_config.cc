// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Any bytes as a settings file: settings that print and load as themselves, or problems of one line each.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "server/config/load.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace config = crnpd::config;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto loaded = config::loadSettingsFromText(text, "fuzz");
    for (const auto& problem : loaded.problems()) {
        require(problem.where.starts_with("fuzz"));
        require(!problem.text.empty() && problem.text.find('\n') == std::string::npos);
    }
    if (!loaded) return 0;

    const auto again = config::loadSettingsFromText(config::printSettings(loaded.settings()), "printed");
    require(static_cast<bool>(again));
    require(again.settings() == loaded.settings());
    require(config::restartOnlyDifferences(loaded.settings(), again.settings()).empty());
    return 0;
}
