// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/intake/occupancy.h"

#include <gtest/gtest.h>

namespace crnpd::intake {
namespace {

const IpAddress one = IpAddress::parse("192.0.2.1").value();
const IpAddress two = IpAddress::parse("192.0.2.2").value();

TEST(OccupancyTest, HasRoomUntilTheLimitAndAgainAfterSomebodyLeft) {
    Occupancy occupancy({.connections = 2, .perAddress = 2});
    EXPECT_TRUE(occupancy.entered(one));
    EXPECT_TRUE(occupancy.entered(two));
    EXPECT_FALSE(occupancy.hasRoom());
    occupancy.left(one);
    EXPECT_TRUE(occupancy.hasRoom());
}

TEST(OccupancyTest, OneAddressHasItsOwnLimit) {
    Occupancy occupancy({.connections = 10, .perAddress = 1});
    EXPECT_TRUE(occupancy.entered(one));
    EXPECT_FALSE(occupancy.entered(one)) << "it is answered, and counts until it has left";
    EXPECT_TRUE(occupancy.entered(two));
    occupancy.left(one);
    EXPECT_FALSE(occupancy.entered(one));
}

TEST(OccupancyTest, NewLimitsHoldAtOnce) {
    Occupancy occupancy({.connections = 1, .perAddress = 1});
    EXPECT_TRUE(occupancy.entered(one));
    occupancy.setLimits({.connections = 2, .perAddress = 2});
    EXPECT_TRUE(occupancy.hasRoom());
    EXPECT_TRUE(occupancy.entered(one));
}

}  // namespace
}  // namespace crnpd::intake
