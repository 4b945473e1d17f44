// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The verbs of the tests of settings files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "server/config/load.h"

namespace crnpd::config {

inline std::vector<std::string> problemsOf(const LoadResult& loaded) {
    std::vector<std::string> lines;
    for (const auto& problem : loaded.problems())
        lines.push_back(problem.line());
    return lines;
}

inline std::vector<std::string> problemsIn(std::string_view text) {
    return problemsOf(loadSettingsFromText(text, "crnpd.toml"));
}

// The one problem of the text.
inline std::string problemIn(std::string_view text) {
    const auto problems = problemsIn(text);
    if (problems.size() == 1) return problems.front();
    return std::to_string(problems.size()) + " problems" +
           (problems.empty() ? "" : ", first " + problems.front());
}

inline Settings settingsOf(std::string_view text) {
    const auto loaded = loadSettingsFromText(text, "crnpd.toml");
    EXPECT_EQ(problemsOf(loaded), std::vector<std::string>{});
    return loaded ? loaded.settings() : Settings{};
}

}  // namespace crnpd::config
