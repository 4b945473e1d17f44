// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// From a settings file to Settings, or to everything that is wrong with the file, all at once.
//
//     const auto loaded = config::loadSettings("/etc/crnpd/crnpd.toml");
//     for (const auto& problem : loaded.problems()) std::cerr << problem.line() << '\n';
//     if (!loaded) return EXIT_FAILURE;
//
// Errors     Problems are results; nothing throws but for want of memory.
// Threads    Any; no state is kept.
#pragma once

#include <cassert>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/config/settings.h"

namespace crnpd::config {

struct Problem {
    std::string where;  // FILE:LINE, or FILE where no line is at fault
    std::string text;   // what is wrong and what is allowed

    // As --check-config prints it.
    [[nodiscard]] std::string line() const { return where + ": " + text; }

    friend bool operator==(const Problem&, const Problem&) = default;
};

// Which file settings came from, and on which line each stands.
class Origin {
public:
    explicit Origin(std::string file) : file_(std::move(file)) {}

    // `name` as in "store.path"; an element of a list is "listen[0]".
    void note(const std::string& name, unsigned line) { lines_.insert_or_assign(name, line); }
    [[nodiscard]] bool given(const std::string& name) const { return lines_.contains(name); }
    // FILE:LINE; only FILE for a setting that has its default.
    [[nodiscard]] std::string where(const std::string& name) const;
    [[nodiscard]] std::string where(unsigned line) const { return file_ + ':' + std::to_string(line); }
    [[nodiscard]] const std::string& file() const noexcept { return file_; }

private:
    std::string file_;
    std::map<std::string, unsigned> lines_;
};

class LoadResult {
public:
    LoadResult(Settings settings, Origin origin, std::vector<Problem> problems)
        : settings_(std::move(settings)), origin_(std::move(origin)), problems_(std::move(problems)) {}

    explicit operator bool() const noexcept { return problems_.empty(); }
    // Only if there are no problems.
    [[nodiscard]] const Settings& settings() const {
        assert(problems_.empty());
        return settings_;
    }
    [[nodiscard]] const Origin& origin() const noexcept { return origin_; }
    // In the order of the file, and behind them what is wrong between settings.
    [[nodiscard]] const std::vector<Problem>& problems() const noexcept { return problems_; }

private:
    Settings settings_;
    Origin origin_;
    std::vector<Problem> problems_;
};

// Checks all that can be known from the file alone: syntax, names, types, ranges, relations.
[[nodiscard]] LoadResult loadSettings(const std::filesystem::path& file);
// `sourceName` is what problems call the text.
[[nodiscard]] LoadResult loadSettingsFromText(std::string_view text, std::string_view sourceName);

// What this machine lacks for these settings: folders that must exist, files that are something else. Looks,
// and changes nothing. Done by --check-config and at every start and reload.
[[nodiscard]] std::vector<Problem> checkEnvironment(const Settings& settings, const Origin& origin);

}  // namespace crnpd::config
