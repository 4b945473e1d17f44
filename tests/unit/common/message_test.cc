// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "common/message.h"

#include <array>
#include <set>

#include <gtest/gtest.h>

namespace crnpd {
namespace {

constexpr std::array everyType{RegistrationType::addClient, RegistrationType::addEvents,
                               RegistrationType::removeClient, RegistrationType::removeEvents};

constexpr std::array everyCode{
    StatusCode::ok,          StatusCode::retry,          StatusCode::lowResource,
    StatusCode::systemError, StatusCode::fail,           StatusCode::malformed,
    StatusCode::invalid,     StatusCode::versionTooHigh, StatusCode::versionTooLow};

EventRegistration withPairs(std::vector<NvPair> pairs) {
    EventRegistration registration{"EC_Cluster", "ESC_cluster_rg_state", std::move(pairs)};
    normalize(registration);
    return registration;
}

TEST(MessageTest, EveryRegistrationTypeIsReadBackFromItsName) {
    for (const auto type : everyType)
        EXPECT_EQ(registrationTypeNamed(name(type)), type) << name(type);
}

TEST(MessageTest, EveryStatusCodeIsReadBackFromItsName) {
    for (const auto code : everyCode)
        EXPECT_EQ(statusCodeNamed(name(code)), code) << name(code);
}

TEST(MessageTest, NoTwoCodesShareAName) {
    std::set<std::string_view> names;
    for (const auto code : everyCode)
        EXPECT_TRUE(names.insert(name(code)).second) << name(code);
}

TEST(MessageTest, NamesAreThoseOfTheDocuments) {
    EXPECT_EQ(name(RegistrationType::addClient), "ADD_CLIENT");
    EXPECT_EQ(name(RegistrationType::addEvents), "ADD_EVENTS");
    EXPECT_EQ(name(RegistrationType::removeClient), "REMOVE_CLIENT");
    EXPECT_EQ(name(RegistrationType::removeEvents), "REMOVE_EVENTS");
    EXPECT_EQ(name(StatusCode::ok), "OK");
    EXPECT_EQ(name(StatusCode::lowResource), "LOW_RESOURCE");
    EXPECT_EQ(name(StatusCode::systemError), "SYSTEM_ERROR");
    EXPECT_EQ(name(StatusCode::versionTooHigh), "VERSION_TOO_HIGH");
    EXPECT_EQ(name(StatusCode::versionTooLow), "VERSION_TOO_LOW");
}

TEST(MessageTest, TheOldSpellingsOfTwoCodesAreUnderstood) {
    EXPECT_EQ(statusCodeNamed("LOW_RESOURCES"), StatusCode::lowResource);
    EXPECT_EQ(statusCodeNamed("INVALID_XML"), StatusCode::invalid);
}

TEST(MessageTest, NamesAreTakenExactlyAsWritten) {
    EXPECT_EQ(registrationTypeNamed("add_client"), std::nullopt);
    EXPECT_EQ(registrationTypeNamed("ADD_CLIENT "), std::nullopt);
    EXPECT_EQ(registrationTypeNamed(""), std::nullopt);
    EXPECT_EQ(statusCodeNamed("Ok"), std::nullopt);
}

TEST(MessageTest, TheOrderOfPairsDoesNotMatter) {
    EXPECT_EQ(withPairs({{"a", {"1"}}, {"b", {"2"}}}), withPairs({{"b", {"2"}}, {"a", {"1"}}}));
}

TEST(MessageTest, APairThatIsRepeatedCountsOnce) {
    EXPECT_EQ(withPairs({{"a", {"1"}}, {"a", {"1"}}}), withPairs({{"a", {"1"}}}));
}

TEST(MessageTest, TheOrderOfValuesMatters) {
    EXPECT_NE(withPairs({{"a", {"1", "2"}}}), withPairs({{"a", {"2", "1"}}}));
}

TEST(MessageTest, OneNameWithTwoValueListsIsTwoPairs) {
    EXPECT_EQ(withPairs({{"a", {"2"}}, {"a", {"1"}}}).pairs.size(), 2U);
}

TEST(MessageTest, AnAbsentSubclassIsNotAnEmptyOne) {
    EXPECT_NE((EventRegistration{"EC_Cluster", std::nullopt, {}}), (EventRegistration{"EC_Cluster", "", {}}));
}

const Event webGroup{
    "EC_Cluster",
    "ESC_cluster_rg_state",
    "SUNW",
    "rgm",
    {{"rg_name", {"web"}}, {"node_list", {"a", "b"}}, {"state_list", {"ONLINE", "OFFLINE"}}}};

TEST(MessageTest, OmissionIsTheOnlyWildcardOfARegistration) {
    EXPECT_TRUE(asksFor({"EC_Cluster", std::nullopt, {}}, webGroup));
    EXPECT_TRUE(asksFor({"EC_Cluster", "ESC_cluster_rg_state", {}}, webGroup));
    EXPECT_FALSE(asksFor({"EC_Cluster", "", {}}, webGroup));
    EXPECT_FALSE(asksFor({"EC_Cluster", "*", {}}, webGroup));
    EXPECT_FALSE(asksFor({"EC_Cluster", "ESC_cluster_rg", {}}, webGroup));
    EXPECT_FALSE(asksFor({"", "ESC_cluster_rg_state", {}}, webGroup));
}

TEST(MessageTest, EveryPairOfARegistrationMustOccurInTheEvent) {
    const auto asks = [](std::vector<NvPair> pairs) {
        return asksFor(withPairs(std::move(pairs)), webGroup);
    };
    EXPECT_TRUE(asks({{"rg_name", {"web"}}}));
    EXPECT_TRUE(asks({{"node_list", {"a", "b"}}, {"rg_name", {"web"}}}));
    EXPECT_FALSE(asks({{"rg_name", {"db"}}}));
    EXPECT_FALSE(asks({{"rg_name", {"web"}}, {"rg_name", {"db"}}}));
    EXPECT_FALSE(asks({{"node_list", {"b", "a"}}}));
    EXPECT_FALSE(asks({{"node_list", {"a"}}}));
    EXPECT_FALSE(asks({{"other", {"web"}}}));
}

}  // namespace
}  // namespace crnpd
