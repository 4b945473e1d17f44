// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/messages.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "server/logging/flood.h"

namespace crnpd {
namespace {

constexpr std::string_view anId = "CRNPD-REG-001";

std::multiset<std::string> idsIn(const std::filesystem::path& path, const std::string& before = "") {
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto sought = before + "CRNPD-";
    std::multiset<std::string> ids;
    for (auto at = text.find(sought); at != std::string::npos; at = text.find(sought, at + 1))
        ids.insert(text.substr(at + before.size(), anId.size()));
    return ids;
}

TEST(MessagesTest, TheListHoldsEveryMessageOfTheHeader) {
    const auto written = idsIn(std::filesystem::path(CRNPD_SOURCES) / "common/messages.h", "\"");
    std::multiset<std::string> listed;
    for (const auto& message : msg::all())
        listed.insert(std::string(message.id));
    EXPECT_FALSE(written.empty());
    EXPECT_EQ(listed, written);
}

TEST(MessagesTest, TheDocumentsNameNoIdThatThereIsNot) {
    std::set<std::string> listed;
    for (const auto& message : msg::all())
        listed.insert(std::string(message.id));
    std::size_t named = 0;
    for (const auto& file :
         std::filesystem::directory_iterator(std::filesystem::path(CRNPD_SOURCES) / "docs")) {
        for (const auto& id : idsIn(file.path())) {
            EXPECT_TRUE(listed.contains(id)) << id << " in " << file.path();
            ++named;
        }
    }
    EXPECT_GT(named, listed.size()) << "docs/messages.md alone names each";
}

TEST(MessagesTest, NoIdIsGivenTwiceAndEachHasAdvice) {
    std::set<std::string_view> ids;
    for (const auto& message : msg::all()) {
        EXPECT_TRUE(ids.insert(message.id).second) << message.id;
        EXPECT_FALSE(message.advice.empty()) << message.id;
    }
}

TEST(MessagesTest, EveryIdIsCountedInAPlaceOfItsOwn) {
    std::map<std::size_t, std::string_view> places;
    for (const auto& message : msg::all()) {
        const auto [place, isNew] = places.emplace(logging::Flood::placeOf(message.id), message.id);
        EXPECT_TRUE(isNew) << message.id << " and " << place->second << ": change Flood::places";
    }
}

}  // namespace
}  // namespace crnpd
