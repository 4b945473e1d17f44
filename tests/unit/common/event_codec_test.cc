// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/event_codec.h"

#include <string>

#include <gtest/gtest.h>

namespace crnpd {
namespace {

const Event webGroup{"EC_Cluster",
                     "ESC_cluster_rg_state",
                     "SUNW",
                     "rgm",
                     {{"rg_name", {"web-rg"}}, {"node_list", {"b", "a"}}}};

bool isAccepted(std::string_view record) {
    const auto decoded = decodeEvent(record);
    if (!decoded) {
        EXPECT_EQ(decoded.error().code, ErrorCode::damaged);
    }
    return decoded.has_value();
}

TEST(EventCodec, WritesTheFormThatTheHeaderShows) {
    EXPECT_EQ(encodeEvent({"EC_Cluster", "ESC_cluster_rg_state", "SUNW", "rgm", {{"rg_name", {"web-rg"}}}}),
              "10:EC_Cluster20:ESC_cluster_rg_state4:SUNW3:rgm1:7:rg_name1:6:web-rg");
}

TEST(EventCodec, GivesBackWhatWasWrittenInItsOrder) {
    const Event odd{"", ":", "1:", "\xC3\xA4", {{"b", {"", "2:x"}}, {"a", {"z"}}, {"a", {"z"}}}};
    for (const auto& event : {Event{}, webGroup, odd}) {
        const auto decoded = decodeEvent(encodeEvent(event));
        ASSERT_TRUE(decoded) << decoded.error().text;
        EXPECT_EQ(*decoded, event);
    }
}

TEST(EventCodec, RefusesEveryRecordThatWasCutShort) {
    const auto record = encodeEvent(webGroup);
    for (std::size_t length = 0; length < record.size(); ++length)
        EXPECT_FALSE(isAccepted(std::string_view(record).substr(0, length))) << length;
    EXPECT_FALSE(isAccepted(record + "x"));
    EXPECT_FALSE(isAccepted(record + std::string(1, '\0')));
}

TEST(EventCodec, AcceptsAChangedByteOnlyIfItCouldHaveBeenWritten) {
    const auto record = encodeEvent(webGroup);
    for (std::size_t at = 0; at < record.size(); ++at) {
        for (int byte = 0; byte < 256; ++byte) {
            auto changed = record;
            changed[at] = static_cast<char>(byte);
            if (!isAccepted(changed)) continue;
            EXPECT_EQ(encodeEvent(*decodeEvent(changed)), changed) << "at " << at;
        }
    }
}

TEST(EventCodec, RefusesCountsThatTheRecordCannotHoldBeforeReservingForThem) {
    EXPECT_TRUE(isAccepted("0:0:0:0:0:"));
    EXPECT_FALSE(isAccepted("0:0:0:0:4000000000:"));
    EXPECT_FALSE(isAccepted("0:0:0:0:1:0:4000000000:"));
    EXPECT_FALSE(isAccepted("0:0:0:0:18446744073709551615:"));
    EXPECT_FALSE(isAccepted("00:0:0:0:0:"));
}

}  // namespace
}  // namespace crnpd
