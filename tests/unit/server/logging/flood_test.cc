// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/logging/flood.h"

#include <gtest/gtest.h>

#include "tests/support/manual_clock.h"

namespace crnpd::logging {
namespace {

class FloodTest : public testing::Test {
protected:
    std::uint32_t admitted(std::uint32_t lines, std::string_view id = "CRNPD-REG-001") {
        std::uint32_t passed = 0;
        for (std::uint32_t i = 0; i < lines; ++i)
            passed += flood.admits(id) ? 1 : 0;
        return passed;
    }

    support::ManualClock clock;
    Flood flood{clock};
};

TEST_F(FloodTest, OrdinaryTrafficPasses) {
    EXPECT_EQ(admitted(Flood::linesPerSecond), Flood::linesPerSecond);
    EXPECT_TRUE(flood.takeWithheld().empty());
}

TEST_F(FloodTest, TheRestOfASecondIsCountedAndToldOnce) {
    EXPECT_EQ(admitted(Flood::linesPerSecond + 1234), Flood::linesPerSecond);
    const auto withheld = flood.takeWithheld();
    ASSERT_EQ(withheld.size(), 1U);
    EXPECT_EQ(withheld[0].id, "CRNPD-REG-001");
    EXPECT_EQ(withheld[0].lines, 1234U);
    EXPECT_TRUE(flood.takeWithheld().empty());
}

TEST_F(FloodTest, TheNextSecondBeginsAnew) {
    admitted(Flood::linesPerSecond + 1);
    clock.advance(std::chrono::seconds{1});
    EXPECT_EQ(admitted(5), 5U);
}

TEST_F(FloodTest, AFloodOfOneMessageHidesNoOther) {
    admitted(Flood::linesPerSecond + 1);
    EXPECT_EQ(admitted(1, "CRNPD-CMT-002"), 1U);
}

}  // namespace
}  // namespace crnpd::logging
