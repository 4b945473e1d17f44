// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/event_syntax.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace crnpd::crnpctl {
namespace {

using ::testing::HasSubstr;

EventRegistration parsed(const std::string& text) {
    const auto event = parseEvent(text);
    EXPECT_TRUE(event) << text << ": " << (event ? "" : event.error().text);
    return event ? *event : EventRegistration{};
}

std::string refusalOf(const std::string& text) {
    const auto event = parseEvent(text);
    EXPECT_FALSE(event) << text;
    return event ? std::string() : event.error().text;
}

TEST(EventSyntax, AClassAloneHasNoSubclassAndNoPairs) {
    EXPECT_EQ(parsed("EC_Cluster"), (EventRegistration{"EC_Cluster", std::nullopt, {}}));
}

TEST(EventSyntax, ASlashBeginsTheSubclass) {
    EXPECT_EQ(parsed("EC_Cluster/ESC_cluster_membership"),
              (EventRegistration{"EC_Cluster", "ESC_cluster_membership", {}}));
}

TEST(EventSyntax, PairsMayFollowAClassWithoutSubclass) {
    EXPECT_EQ(parsed("C:n=v"), (EventRegistration{"C", std::nullopt, {{"n", {"v"}}}}));
}

TEST(EventSyntax, ACommaSeparatesPairs) {
    EXPECT_EQ(parsed("C/S:rg_name=web-rg,zone=a"),
              (EventRegistration{"C", "S", {{"rg_name", {"web-rg"}}, {"zone", {"a"}}}}));
}

TEST(EventSyntax, ARepeatedNameMakesAnArrayInTheOrderTyped) {
    EXPECT_EQ(parsed("C/S:node=b,zone=x,node=a"),
              (EventRegistration{"C", "S", {{"node", {"b", "a"}}, {"zone", {"x"}}}}));
}

TEST(EventSyntax, ABackslashTakesTheMeaningFromASeparator) {
    EXPECT_EQ(parsed(R"(C\/x\:y/S\:z:a\=b\,c=d\,e\\)"),
              (EventRegistration{"C/x:y", "S:z", {{"a=b,c", {R"(d,e\)"}}}}));
}

TEST(EventSyntax, SeparatorsThatHaveDoneTheirWorkAreText) {
    EXPECT_EQ(parsed("C/S/T:url=http://h:1/?a=b"),
              (EventRegistration{"C", "S/T", {{"url", {"http://h:1/?a=b"}}}}));
}

TEST(EventSyntax, NothingIsTrimmedAndAValueMayBeEmpty) {
    EXPECT_EQ(parsed(" C / S : n = v ,e="),
              (EventRegistration{" C ", " S ", {{" n ", {" v "}}, {"e", {""}}}}));
}

TEST(EventSyntax, WhatIsMissingIsNamed) {
    EXPECT_THAT(refusalOf(""), HasSubstr("CLASS is missing"));
    EXPECT_THAT(refusalOf("/S"), HasSubstr("CLASS is missing"));
    EXPECT_THAT(refusalOf("C/"), HasSubstr("SUBCLASS is missing"));
    EXPECT_THAT(refusalOf("C:"), HasSubstr("NAME=VALUE"));
    EXPECT_THAT(refusalOf("C:=v"), HasSubstr("NAME is missing"));
    EXPECT_THAT(refusalOf("C:n=v,"), HasSubstr("NAME=VALUE"));
}

TEST(EventSyntax, AForgottenBackslashBeforeACommaIsExplained) {
    EXPECT_THAT(refusalOf("C:n=a,b"), HasSubstr(R"(\,)"));
}

TEST(EventSyntax, ABackslashBeforeAnythingElseIsRefused) {
    EXPECT_THAT(refusalOf(R"(C:n=a\n)"), HasSubstr("backslash"));
    EXPECT_THAT(refusalOf(R"(C\)"), HasSubstr("backslash"));
}

TEST(EventSyntax, TextThatXmlCannotCarryIsRefused) {
    EXPECT_THAT(refusalOf("C:n=\x01"), HasSubstr("XML cannot carry"));
    EXPECT_THAT(refusalOf("C:n=\xff"), HasSubstr("XML cannot carry"));
}

TEST(EventSyntax, WhatIsFormattedIsParsedBackEqual) {
    for (const auto* const text : {"C", "C/S", R"(C\/x\:y/S\:z:a\=b\,c=d\,e\\)", "C/S/T:url=http://h:1/?a=b",
                                   "C:n=1,n=2,m=", " C / S : n = v "}) {
        const auto event = parsed(text);
        EXPECT_EQ(parsed(formatEvent(event)), event) << formatEvent(event);
    }
}

}  // namespace
}  // namespace crnpd::crnpctl
