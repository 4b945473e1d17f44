// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/duration.h"

#include <gtest/gtest.h>

namespace crnpd::config {
namespace {

using namespace std::chrono_literals;

std::string refusal(std::string_view text) {
    const auto parsed = parseDuration(text);
    return parsed ? "accepted" : parsed.error().text;
}

TEST(DurationTest, EveryUnitIsKnown) {
    EXPECT_EQ(*parseDuration("500ms"), 500ms);
    EXPECT_EQ(*parseDuration("30s"), 30s);
    EXPECT_EQ(*parseDuration("5m"), 5min);
    EXPECT_EQ(*parseDuration("24h"), 24h);
    EXPECT_EQ(*parseDuration("7d"), 168h);
    EXPECT_EQ(*parseDuration("0s"), 0ms);
}

TEST(DurationTest, AMissingUnitIsSaidWithTheRepair) {
    EXPECT_EQ(refusal("30"), "has no unit: write \"30s\" for seconds");
}

TEST(DurationTest, WhatIsNotANumberWithAUnitIsRefused) {
    for (const auto* text : {"", "s", "-5s", "+5s", " 5s", "soon"}) {
        EXPECT_EQ(refusal(text), "is not a number with a unit") << text;
    }
}

TEST(DurationTest, OneNumberAndOneUnitIsAllThereIs) {
    for (const auto* text : {"5 s", "5s ", "1h30m", "1.5h", "5sec", "5S", "5y", "5,5s"}) {
        EXPECT_EQ(refusal(text), "is not one whole number with one unit") << text;
    }
}

TEST(DurationTest, HugeNumbersDoNotOverflow) {
    EXPECT_EQ(refusal("9223372036854775807s"), "is out of range");
    EXPECT_EQ(refusal("99999999999999999999999ms"), "is out of range");
    EXPECT_EQ(parseDuration("9223372036854775807ms")->count(), 9223372036854775807);
}

TEST(DurationTest, TextUsesTheLargestUnitThatDivides) {
    EXPECT_EQ(durationText(1500ms), "1500ms");
    EXPECT_EQ(durationText(90s), "90s");
    EXPECT_EQ(durationText(1800s), "30m");
    EXPECT_EQ(durationText(24h), "24h");
    EXPECT_EQ(durationText(0ms), "0ms");
}

TEST(DurationTest, TextIsReadBack) {
    for (const auto duration : {1ms, 999ms, 1000ms, 60'000ms, 61'000ms, 3'600'000ms, 86'400'001ms}) {
        EXPECT_EQ(*parseDuration(durationText(duration)), duration);
    }
}

}  // namespace
}  // namespace crnpd::config
