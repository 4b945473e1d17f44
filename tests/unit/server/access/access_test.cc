// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/access/access.h"

#include <optional>

#include <gtest/gtest.h>

namespace crnpd::access {
namespace {

IpAddress ip(std::string_view text) {
    const auto parsed = IpAddress::parse(text);
    EXPECT_TRUE(parsed) << text;
    return parsed ? *parsed : IpAddress{};
}

std::string refusal(std::string_view text) {
    const auto parsed = AccessEntry::parse(text);
    return parsed ? "accepted" : parsed.error().text;
}

class AccessListTest : public testing::Test {
protected:
    static std::vector<AccessEntry> entries(std::initializer_list<std::string_view> texts) {
        std::vector<AccessEntry> result;
        for (const auto text : texts) {
            auto entry = AccessEntry::parse(text);
            EXPECT_TRUE(entry) << text;
            if (entry) result.push_back(*entry);
        }
        return result;
    }

    void allow(std::initializer_list<std::string_view> texts) { allow_ = entries(texts); }
    void deny(std::initializer_list<std::string_view> texts) { deny_ = entries(texts); }
    void connected(std::string_view address, unsigned length) {
        local_.push_back(Network::around(ip(address), length));
    }

    std::string verdictOn(std::string_view address) {
        list_.emplace(allow_, deny_, local_);
        const auto verdict = list_->decide(ip(address));
        EXPECT_EQ(verdict.allowed, verdict.text().starts_with("allowed")) << verdict.text();
        return verdict.text();
    }
    bool allows(std::string_view address) {
        return AccessList(allow_, deny_, local_).decide(ip(address)).allowed;
    }

private:
    std::vector<AccessEntry> allow_;
    std::vector<AccessEntry> deny_;
    std::vector<Network> local_;
    std::optional<AccessList> list_;
};

TEST(AccessEntryTest, KeepsTheTextAsWritten) {
    for (const auto* text : {"192.0.2.1", "10.0.0.0/8", "2001:DB8::/32", "fe80::/64", "LOCAL", "ALL"}) {
        const auto entry = AccessEntry::parse(text);
        ASSERT_TRUE(entry) << text;
        EXPECT_EQ(entry->text(), text);
    }
}

TEST(AccessEntryTest, WordsAreInCapitalLetters) {
    EXPECT_EQ(refusal("local"), R"("local" is written in capital letters: "LOCAL")");
    EXPECT_EQ(refusal("All"), R"("All" is written in capital letters: "ALL")");
}

TEST(AccessEntryTest, AHostNameIsNoEntry) {
    EXPECT_EQ(refusal("node1.example.org"),
              R"("node1.example.org" is neither an IP address, ADDRESS/MASKLENGTH, "LOCAL" nor "ALL")");
    EXPECT_EQ(refusal(""), R"("" is neither an IP address, ADDRESS/MASKLENGTH, "LOCAL" nor "ALL")");
    EXPECT_EQ(refusal("*"), R"("*" is neither an IP address, ADDRESS/MASKLENGTH, "LOCAL" nor "ALL")");
}

TEST(AccessEntryTest, WhatIsWrongWithANetworkIsSaid) {
    EXPECT_EQ(refusal("10.0.0.0/33"), R"("10.0.0.0/33": the mask length is not a number from 0 to 32)");
    EXPECT_EQ(
        refusal("10.1.2.3/8"),
        "\"10.1.2.3/8\" has bits behind the mask: write 10.0.0.0/8 for the network or 10.1.2.3 for this one "
        "address");
}

TEST_F(AccessListTest, NobodyIsAllowedByEmptyLists) {
    EXPECT_EQ(verdictOn("127.0.0.1"), "refused: no entry of allow_hosts matches");
}

TEST_F(AccessListTest, AnAddressAllowsItselfOnly) {
    allow({"192.0.2.1"});
    EXPECT_EQ(verdictOn("192.0.2.1"), R"(allowed by "192.0.2.1" of allow_hosts)");
    EXPECT_EQ(verdictOn("192.0.2.2"), "refused: no entry of allow_hosts matches");
}

TEST_F(AccessListTest, ANetworkAllowsItsAddresses) {
    allow({"192.0.2.1", "10.0.0.0/8", "2001:db8::/32"});
    EXPECT_EQ(verdictOn("10.9.8.7"), R"(allowed by "10.0.0.0/8" of allow_hosts)");
    EXPECT_EQ(verdictOn("2001:db8::9"), R"(allowed by "2001:db8::/32" of allow_hosts)");
    EXPECT_FALSE(allows("2001:db9::9"));
}

TEST_F(AccessListTest, AllAllowsBothFamilies) {
    allow({"ALL"});
    EXPECT_EQ(verdictOn("203.0.113.5"), R"(allowed by "ALL" of allow_hosts)");
    EXPECT_TRUE(allows("2001:db8::1"));
}

TEST_F(AccessListTest, DenyWinsOverTheSameEntry) {
    allow({"192.0.2.1"});
    deny({"192.0.2.1"});
    EXPECT_EQ(verdictOn("192.0.2.1"), R"(refused by "192.0.2.1" of deny_hosts)");
}

TEST_F(AccessListTest, DenyWinsEvenOverANarrowerAllow) {
    allow({"192.0.2.1", "ALL"});
    deny({"192.0.2.0/24"});
    EXPECT_EQ(verdictOn("192.0.2.1"), R"(refused by "192.0.2.0/24" of deny_hosts)");
    EXPECT_TRUE(allows("192.0.3.1"));
}

TEST_F(AccessListTest, AHoleInANetworkIsDenied) {
    allow({"10.0.0.0/8"});
    deny({"10.1.0.0/16"});
    EXPECT_TRUE(allows("10.0.255.255"));
    EXPECT_FALSE(allows("10.1.0.0"));
    EXPECT_FALSE(allows("10.1.255.255"));
    EXPECT_TRUE(allows("10.2.0.0"));
}

TEST_F(AccessListTest, DenyAllRefusesEverybody) {
    allow({"ALL"});
    deny({"ALL"});
    EXPECT_EQ(verdictOn("127.0.0.1"), R"(refused by "ALL" of deny_hosts)");
}

TEST_F(AccessListTest, LocalIsTheConnectedNetworksAndSaysWhich) {
    connected("127.0.0.1", 8);
    connected("192.0.2.77", 26);
    allow({"LOCAL"});
    EXPECT_EQ(verdictOn("192.0.2.65"),
              R"(allowed by "LOCAL" of allow_hosts (192.0.2.64/26 is directly connected))");
    EXPECT_EQ(verdictOn("192.0.2.1"), "refused: no entry of allow_hosts matches");
    EXPECT_TRUE(allows("127.0.1.1"));
}

TEST_F(AccessListTest, LocalCanBeDenied) {
    connected("192.0.2.77", 24);
    allow({"ALL"});
    deny({"LOCAL"});
    EXPECT_EQ(verdictOn("192.0.2.1"),
              R"(refused by "LOCAL" of deny_hosts (192.0.2.0/24 is directly connected))");
    EXPECT_TRUE(allows("198.51.100.1"));
}

TEST_F(AccessListTest, LocalWithoutInterfacesIsNobody) {
    allow({"LOCAL"});
    EXPECT_FALSE(allows("127.0.0.1"));
}

TEST_F(AccessListTest, AnEntryBehindLocalIsStillLookedAt) {
    connected("192.0.2.77", 24);
    allow({"LOCAL", "198.51.100.1"});
    EXPECT_EQ(verdictOn("198.51.100.1"), R"(allowed by "198.51.100.1" of allow_hosts)");
}

TEST_F(AccessListTest, ALinkLocalNeighbourIsLocalOnItsInterfaceOnly) {
    connected("fe80::1%7", 64);
    allow({"LOCAL"});
    EXPECT_EQ(verdictOn("fe80::2%7"),
              R"(allowed by "LOCAL" of allow_hosts (fe80::%7/64 is directly connected))");
    EXPECT_FALSE(allows("fe80::2%8"));
}

TEST_F(AccessListTest, ALinkLocalNetworkWithoutInterfaceIsMeantOnAll) {
    allow({"fe80::/64"});
    deny({"fe80::bad"});
    EXPECT_TRUE(allows("fe80::2%7"));
    EXPECT_FALSE(allows("fe80::bad%7"));
}

TEST_F(AccessListTest, AnIpv4ClientOfAnIpv6SocketIsJudgedAsIpv4) {
    allow({"ALL"});
    deny({"192.0.2.0/24"});
    EXPECT_FALSE(allows("::ffff:192.0.2.1"));
}

TEST_F(AccessListTest, AnIpv4MappedEntryMeansIpv4Clients) {
    allow({"::ffff:192.0.2.0/120"});
    EXPECT_TRUE(allows("192.0.2.200"));
    EXPECT_FALSE(allows("192.0.3.200"));
}

TEST_F(AccessListTest, NewInterfacesChangeOnlyWhatLocalMeans) {
    const AccessList before(entries({"LOCAL"}), entries({"192.0.2.9"}), {});
    const auto after = before.withLocal({Network::around(ip("192.0.2.77"), 24)});
    EXPECT_FALSE(before.decide(ip("192.0.2.1")).allowed);
    EXPECT_TRUE(after.decide(ip("192.0.2.1")).allowed);
    EXPECT_FALSE(after.decide(ip("192.0.2.9")).allowed);
    EXPECT_EQ(after.local().size(), 1U);
}

}  // namespace
}  // namespace crnpd::access
