// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The files in config/ against the table.

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "loading.h"
#include "server/config/table.h"
#include "server/config/toml_document.h"

namespace crnpd::config {
namespace {

const std::string folder = CRNPD_CONFIG_FOLDER;

std::string contentOf(const std::string& file) {
    std::ostringstream content;
    content << std::ifstream(file).rdbuf();
    return content.str();
}

// Each setting's line with the comment above it, as one line of text.
std::map<std::string, std::string> commentsIn(const std::string& text) {
    std::map<std::string, std::string> comments;
    std::istringstream lines(text);
    std::string section;
    std::string comment;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with('#')) {
            comment += (comment.empty() ? "" : " ") + line.substr(std::min<std::size_t>(2, line.size()));
            continue;
        }
        if (line.starts_with('[')) section = line.substr(1, line.find(']') - 1) + '.';
        if (const auto equals = line.find(" = "); equals != std::string::npos) {
            comments[section + line.substr(0, equals)] = comment;
        }
        comment.clear();
    }
    return comments;
}

TEST(ShippedFilesTest, TheExplainedFileHoldsTheDefaults) {
    const auto loaded = loadSettings(folder + "/crnpd.toml");
    ASSERT_EQ(problemsOf(loaded), std::vector<std::string>{});
    EXPECT_EQ(loaded.settings(), defaultSettings());
}

TEST(ShippedFilesTest, TheExplainedFileHoldsEverySettingInTheOrderOfTheTable) {
    const auto document = parseToml(contentOf(folder + "/crnpd.toml"));
    ASSERT_TRUE(document);
    std::map<unsigned, std::string> byLine;
    for (const auto& entry : document->entries) {
        byLine[entry.line] = entry.section.empty() ? entry.name : entry.section + '.' + entry.name;
    }
    std::vector<std::string> inFile;
    std::ranges::transform(byLine, std::back_inserter(inFile),
                           [](const auto& entry) { return entry.second; });
    std::vector<std::string> inTable;
    std::ranges::transform(settingsTable(), std::back_inserter(inTable), &Setting::fullName);
    EXPECT_EQ(inFile, inTable);
}

TEST(ShippedFilesTest, EverySettingIsExplainedWithTheLimitsAndDefaultOfTheTable) {
    const auto comments = commentsIn(contentOf(folder + "/crnpd.toml"));
    for (const auto& setting : settingsTable()) {
        const auto found = comments.find(setting.fullName());
        ASSERT_NE(found, comments.end()) << setting.fullName();
        EXPECT_TRUE(found->second.ends_with(setting.rule()))
            << setting.fullName() << "\n  has " << found->second << "\n  not " << setting.rule();
        EXPECT_GT(found->second.size(), setting.rule().size() + 40)
            << setting.fullName() << " says too little";
    }
}

TEST(ShippedFilesTest, TheDevelopmentFileStaysOnLoopbackAndUnderBuild) {
    const auto loaded = loadSettings(folder + "/crnpd.dev.toml");
    ASSERT_EQ(problemsOf(loaded), std::vector<std::string>{});
    const auto& settings = loaded.settings();
    ASSERT_EQ(settings.listen.size(), 2U);
    EXPECT_EQ(settings.listen[0].text(), "127.0.0.1:9444");
    EXPECT_EQ(settings.listen[1].text(), "[::1]:9444");
    EXPECT_EQ(settings.store.path, "build/dev/registrations.db");
    EXPECT_EQ(settings.control.socket, "build/dev/control.sock");
    EXPECT_EQ(settings.log.target.kind, LogTarget::Kind::standardError);
}

}  // namespace
}  // namespace crnpd::config
