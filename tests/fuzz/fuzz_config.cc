// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Any bytes as a settings file: settings that print and load as themselves, or problems of one line each.

#include "server/config/load.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace config = crnpd::config;
    using crnpd::fuzz::require;
    const auto loaded = config::loadSettingsFromText(crnpd::fuzz::textOf(data, size), "fuzz");
    for (const auto& problem : loaded.problems()) {
        require(problem.where.starts_with("fuzz"), "a problem says where it is");
        require(!problem.text.empty() && problem.text.find('\n') == std::string::npos,
                "a problem is one line");
    }
    if (!loaded) return 0;

    const auto again = config::loadSettingsFromText(config::printSettings(loaded.settings()), "printed");
    require(static_cast<bool>(again), "printed settings load");
    require(again.settings() == loaded.settings(), "printed settings are the same settings");
    require(config::restartOnlyDifferences(loaded.settings(), again.settings()).empty(),
            "equal settings do not differ");
    return 0;
}
