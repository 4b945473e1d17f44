// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "common/dump/utc.h"

#include <gtest/gtest.h>

namespace crnpd::dump {
namespace {

using namespace std::chrono_literals;

TEST(UtcTest, ATimeIsWrittenToTheMillisecondAndReadBack) {
    const WallTime time{1'700'000'000'123ms};
    EXPECT_EQ(utcText(time), "2023-11-14T22:13:20.123Z");
    EXPECT_EQ(readUtc(utcText(time)), time);
    EXPECT_EQ(utcText(WallTime{0ms}), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(readUtc("2024-02-29T23:59:59.999Z"), WallTime{1'709'251'199'999ms});
}

TEST(UtcTest, WhatIsNoTimeIsNotRead) {
    for (const auto* const text :
         {"", "2023-11-14T22:13:20Z", "2023-11-14 22:13:20.123Z", "2023-11-14T22:13:20.123",
          "2023-13-14T22:13:20.123Z", "2023-02-29T22:13:20.123Z", "2023-11-14T24:00:00.000Z",
          "2023-11-14T22:60:20.123Z", "2023-11-14T22:13:60.123Z", "1969-11-14T22:13:20.123Z",
          "2023-11-14T22:13:20.12xZ", "+023-11-14T22:13:20.123Z"}) {
        EXPECT_FALSE(readUtc(text)) << text;
    }
}

}  // namespace
}  // namespace crnpd::dump
