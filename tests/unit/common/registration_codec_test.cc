// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/registration_codec.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace crnpd {
namespace {

using Registrations = std::vector<EventRegistration>;

const EventRegistration membership{"EC_Cluster", "ESC_cluster_membership", {}};
const EventRegistration webGroup{"EC_Cluster", std::nullopt, {{"rg_name", {"web-rg"}}}};

bool isAccepted(std::string_view record) {
    const auto decoded = decodeRegistrations(record);
    EXPECT_EQ(decoded.has_value(), isRegistrationRecord(record)) << record;
    if (!decoded) {
        EXPECT_EQ(decoded.error().code, ErrorCode::damaged);
    }
    return decoded.has_value();
}

TEST(RegistrationCodec, WritesTheFormThatTheHeaderShows) {
    EXPECT_EQ(encodeRegistrations(Registrations{membership, webGroup}),
              "2:"
              "10:EC_Cluster+22:ESC_cluster_membership0:"
              "10:EC_Cluster-1:7:rg_name1:6:web-rg");
}

TEST(RegistrationCodec, GivesBackWhatWasWritten) {
    EventRegistration odd{
        "",
        "",
        {{"b", {"", "2:x", "\xC3\xA4"}}, {"a", {"z"}}, {"a", {"a", "b"}}, {"", {std::string(300, ':')}}}};
    normalize(odd);
    for (const auto& all :
         {Registrations{}, Registrations{membership}, Registrations{odd, webGroup, membership}}) {
        const auto record = encodeRegistrations(all);
        const auto decoded = decodeRegistrations(record);
        ASSERT_TRUE(decoded) << decoded.error().text;
        EXPECT_EQ(*decoded, all);
        EXPECT_TRUE(isRegistrationRecord(record));
    }
}

TEST(RegistrationCodec, RefusesEveryRecordThatWasCutShort) {
    const auto record = encodeRegistrations(Registrations{membership, webGroup});
    for (std::size_t length = 0; length < record.size(); ++length) {
        EXPECT_FALSE(isAccepted(std::string_view(record).substr(0, length))) << length;
    }
    EXPECT_FALSE(isAccepted(record + "x"));
    EXPECT_FALSE(isAccepted(record + std::string(1, '\0')));
}

TEST(RegistrationCodec, AcceptsAChangedByteOnlyIfItCouldHaveBeenWritten) {
    const auto record = encodeRegistrations(Registrations{membership, webGroup});
    for (std::size_t at = 0; at < record.size(); ++at) {
        for (int byte = 0; byte < 256; ++byte) {
            auto changed = record;
            changed[at] = static_cast<char>(byte);
            if (!isAccepted(changed)) continue;
            EXPECT_EQ(encodeRegistrations(*decodeRegistrations(changed)), changed) << "at " << at;
        }
    }
}

TEST(RegistrationCodec, RefusesASecondSpellingOfTheSameContent) {
    EXPECT_TRUE(isAccepted("0:"));
    EXPECT_FALSE(isAccepted("00:"));
    EXPECT_FALSE(isAccepted("+0:"));
    EXPECT_FALSE(isAccepted("-0:"));
    EXPECT_FALSE(isAccepted(" 0:"));
    EXPECT_TRUE(isAccepted("1:1:A-0:"));
    EXPECT_FALSE(isAccepted("01:1:A-0:"));
    EXPECT_FALSE(isAccepted("1:01:A-0:"));
    EXPECT_FALSE(isAccepted("1:1:A-00:"));
    EXPECT_FALSE(isAccepted("1:1:A*0:"));
}

TEST(RegistrationCodec, RefusesPairsThatAreUnsortedOrRepeated) {
    EXPECT_TRUE(isAccepted("1:1:A-2:1:m1:1:x1:n1:1:x"));
    EXPECT_FALSE(isAccepted("1:1:A-2:1:n1:1:x1:m1:1:x"));
    EXPECT_FALSE(isAccepted("1:1:A-2:1:m1:1:x1:m1:1:x"));
    EXPECT_TRUE(isAccepted("1:1:A-2:1:m1:1:x1:m2:1:x1:y"));
    EXPECT_FALSE(isAccepted("1:1:A-2:1:m2:1:x1:y1:m1:1:x"));
    EXPECT_FALSE(isAccepted("1:1:A-2:1:m1:1:y1:m1:1:x"));
}

TEST(RegistrationCodec, SortsPairsByUnsignedBytesAsNormalizeDoes) {
    EventRegistration registration{"A", std::nullopt, {{"\xC3\xA4", {"x"}}, {"a", {"x"}}}};
    normalize(registration);
    EXPECT_TRUE(isAccepted(encodeRegistrations(Registrations{registration})));
}

TEST(RegistrationCodec, RefusesCountsThatTheRecordCannotHoldBeforeReservingForThem) {
    EXPECT_FALSE(isAccepted("18446744073709551615:"));
    EXPECT_FALSE(isAccepted("99999999999999999999999999:"));
    EXPECT_FALSE(isAccepted("4000000000:1:A-0:"));
    EXPECT_FALSE(isAccepted("1:4000000000:A-0:"));
    EXPECT_FALSE(isAccepted("1:1:A-4000000000:"));
    EXPECT_FALSE(isAccepted("1:1:A-1:1:n4000000000:1:x"));
}

TEST(RegistrationCodec, CountsWithoutReadingTheRest) {
    EXPECT_EQ(countRegistrations(encodeRegistrations(Registrations{membership, webGroup})), 2u);
    EXPECT_EQ(countRegistrations("0:"), 0u);
    EXPECT_EQ(countRegistrations("nonsense"), 0u);
    EXPECT_EQ(countRegistrations("9000:1:A-0:"), 0u);
}

}  // namespace
}  // namespace crnpd
