// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/messages.h"

#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "server/logging/flood.h"

namespace crnpd {
namespace {

TEST(MessagesTest, TheListHoldsEveryMessageOfTheHeader) {
    std::ifstream file(CRNPD_MESSAGES_H);
    const std::string header{std::istreambuf_iterator<char>(file), {}};
    std::multiset<std::string> written;
    for (auto at = header.find("\"CRNPD-"); at != std::string::npos; at = header.find("\"CRNPD-", at + 1)) {
        written.insert(header.substr(at + 1, std::string_view("CRNPD-REG-001").size()));
    }
    std::multiset<std::string> listed;
    for (const auto& message : msg::all())
        listed.insert(std::string(message.id));
    EXPECT_FALSE(written.empty());
    EXPECT_EQ(listed, written);
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
