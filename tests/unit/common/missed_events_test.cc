// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/missed_events.h"

#include <gtest/gtest.h>

#include "common/event_codec.h"

namespace crnpd {
namespace {

TEST(MissedEvents, ANoticeIsKnownWhereverItComesFrom) {
    const auto notice = missedEvents("corosync", "restarted");
    EXPECT_EQ(notice.publisher, "corosync");
    const auto stored = decodeEvent(encodeEvent(notice));
    ASSERT_TRUE(stored);
    EXPECT_TRUE(isMissedEvents(*stored));
    EXPECT_EQ(reasonOfMissedEvents(*stored), "restarted");
}

TEST(MissedEvents, OtherTypesAreNone) {
    auto event = missedEvents("corosync", "restarted");
    event.subclass += '2';
    EXPECT_FALSE(isMissedEvents(event));
    event = missedEvents("corosync", "restarted");
    event.eventClass = "EC_Cluster";
    EXPECT_FALSE(isMissedEvents(event));
}

TEST(MissedEvents, WhoeverWritesOneByHandMayLeaveTheReasonOut) {
    auto notice = missedEvents("me", "");
    notice.pairs = {{"other", {"x"}}};
    EXPECT_TRUE(isMissedEvents(notice));
    EXPECT_EQ(reasonOfMissedEvents(notice), "");
    notice.pairs = {{"reason", {}}};
    EXPECT_EQ(reasonOfMissedEvents(notice), "");
}

}  // namespace
}  // namespace crnpd
