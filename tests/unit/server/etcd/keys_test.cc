// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/keys.h"

#include <gtest/gtest.h>
#include <net/if.h>

namespace crnpd::etcd {
namespace {

const Keys keys{"/crnpd"};

CallbackAddress address(std::string_view ip, std::uint16_t port = 2001) {
    return {*IpAddress::parse(ip), port};
}
Change client(std::string_view ip, RecordId id = 17) {
    return ClientRecord{id, address(ip), "1:10:EC_Cluster-0:"};
}
Change removal(std::string_view ip, std::int64_t at) {
    return RemovalRecord{17, address(ip), WallTime(std::chrono::milliseconds(at))};
}
ErrorCode refusal(std::string_view key, std::string_view value) {
    const auto row = decodeRow(keys, key, value);
    return row ? ErrorCode::cancelled : row.error().code;
}

TEST(Keys, AClientsKeyIsItsAddress) {
    EXPECT_EQ(keys.client(address("192.0.2.1")), "/crnpd/client/192.0.2.1/2001");
    EXPECT_EQ(keys.client(address("2001:db8::1", 1)), "/crnpd/client/2001:db8::1/1");
    EXPECT_EQ(keys.client(address("::ffff:192.0.2.1")), "/crnpd/client/192.0.2.1/2001");
}

TEST(Keys, AnInterfaceIsWrittenByItsNameBecauseItsNumberDiffersBetweenNodes) {
    ASSERT_GT(::if_nametoindex("lo"), 0U);
    const auto onLoopback = address("fe80::1%lo");
    EXPECT_EQ(keys.client(onLoopback), "/crnpd/client/fe80::1%lo/2001");
    EXPECT_EQ(keys.client(address("fe80::1%123456")), "/crnpd/client/fe80::1%123456/2001");
}

TEST(Keys, ARowReadsBackAsItWas) {
    for (const auto& change :
         {client("192.0.2.1"), client("2001:db8::ffff:1", 9'000'000'000'000'000'000U), client("fe80::1%lo"),
          client("fe80::1%123456"), removal("192.0.2.1", 1'700'000'000'123), removal("::1", -1)}) {
        const auto where = std::visit([](const auto& record) { return record.client; }, change);
        const auto back = decodeRow(keys, keys.client(where), encodeRow(change));
        ASSERT_TRUE(back) << back.error().text;
        EXPECT_EQ(*back, change);
    }
}

TEST(Keys, ARowIsATextForPeople) {
    EXPECT_EQ(encodeRow(client("192.0.2.1")), "registered 17 1:10:EC_Cluster-0:");
    EXPECT_EQ(encodeRow(removal("192.0.2.1", 1'700'000'000'123)), "removed 17 1700000000123");
}

TEST(Keys, AClientOnAnInterfaceThatThisNodeLacksIsKeptApartFromEveryOther) {
    const auto first = decodeRow(keys, "/crnpd/client/fe80::1%no-such0/1", "registered 1 0:");
    const auto second = decodeRow(keys, "/crnpd/client/fe80::1%no-such1/1", "registered 2 0:");
    ASSERT_TRUE(first && second);
    EXPECT_NE(std::get<ClientRecord>(*first).client, std::get<ClientRecord>(*second).client);
}

TEST(Keys, ARowThatWeCannotHaveWrittenIsDamaged) {
    const std::string key = "/crnpd/client/192.0.2.1/2001";
    ASSERT_EQ(refusal(key, "registered 1 0:"), ErrorCode::cancelled);
    for (const auto* value :
         {"", "registered", "registered 1", "registered 0 0:", "registered 01 0:", "registered -1 0:",
          "registered +1 0:", "registered 1  0:", "registered 1 0: ", "registered 1 1:", "Registered 1 0:",
          "registered 18446744073709551616 0:", "removed 1 ", "removed 1 00", "removed 1 -0", "removed 1 1 ",
          "removed 1 -01", "removed 1 9223372036854775808", "forgotten 1"})
        EXPECT_EQ(refusal(key, value), ErrorCode::damaged) << value;
    for (const auto* wrong :
         {"/crnpd/client/", "/crnpd/client/192.0.2.1", "/crnpd/client/192.0.2.1/",
          "/crnpd/client/192.0.2.1/0", "/crnpd/client/192.0.2.1/02001", "/crnpd/client/192.0.2.1/65536",
          "/crnpd/client/192.0.2.1/1/1", "/crnpd/client/192.0.2.01/1", "/crnpd/client/::ffff:192.0.2.1/1",
          "/crnpd/client/2001:DB8::1/1", "/crnpd/client/2001:db8:0::1/1", "/crnpd/client/2001:db8::1%lo/1",
          "/crnpd/client/fe80::1%/1", "/crnpd/client/fe80::1%a%b/1", "/crnpd/client/host/1",
          "/other/client/192.0.2.1/2001"})
        EXPECT_EQ(refusal(wrong, "registered 1 0:"), ErrorCode::damaged) << wrong;
}

TEST(Keys, TheHeadReadsBackAsItWas) {
    const Head plain{63, 1260, {100, 0x0123456789abcdefU}, false, 1250, {}};
    EXPECT_EQ(encodeHead(plain), "term 63 batch 1260 rows 100 digests 0123456789abcdef after 1250");
    EXPECT_EQ(*decodeHead(encodeHead(plain)), plain);
    auto filling = succeeded(plain, 70);
    filling.isFilling = true;
    EXPECT_EQ(encodeHead(filling),
              "term 70 batch 1260 rows 100 digests 0123456789abcdef after 1260, term 63 after 1250, filling");
    EXPECT_EQ(*decodeHead(encodeHead(filling)), filling);
}

TEST(Keys, AHeadThatWeCannotHaveWrittenIsDamaged) {
    const std::string good = "term 63 batch 1260 rows 100 digests 0123456789abcdef after 1250";
    ASSERT_TRUE(decodeHead(good + ", term 62 after 1250"));
    for (const std::string& text :
         {std::string(), good.substr(0, good.size() - 5), good + " ", good + ", ",
          good + ", filling, filling", good + ", filling, term 62 after 1", good + ", term 63 after 1",
          good + ", term 62 after 1251", good + ", term 62 after 9, term 61 after 9",
          good + ", term 61 after 9, term 62 after 8",
          std::string("term 63 batch 1260 rows 100 digests 0123456789abcde after 1250"),
          std::string("term 63 batch 1260 rows 100 digests 0123456789ABCDEF after 1250"),
          std::string("term 63 batch 1249 rows 100 digests 0123456789abcdef after 1250"),
          std::string("term 0 batch 1260 rows 100 digests 0123456789abcdef after 1250")})
        EXPECT_EQ(decodeHead(text).error().code, ErrorCode::damaged) << text;
}

TEST(Keys, AHeadRemembersWhoWroteBeforeButNotForEver) {
    Head head{1, 10, {}, false, 0, {}};
    for (store::Term term = 2; term <= 20; ++term) {
        head = succeeded(head, term);
        head.batch += 10;
    }
    EXPECT_EQ(head.earlier.size(), Head::mostEarlier);
    EXPECT_EQ(head.earlier.front(), (Reign{13, 120}));
    EXPECT_EQ(head.after, 190U);
    EXPECT_TRUE(decodeHead(encodeHead(head)));
}

TEST(Keys, AHeadTellsWhetherABatchOfAnEarlierTermCameInTime) {
    const Head head{9, 40, {}, false, 30, {{5, 10}, {7, 20}}};  // 5 wrote 11-20, 7 wrote 21-30, 9 from 31 on
    EXPECT_EQ(holds(head, 9, 40), true);
    EXPECT_EQ(holds(head, 9, 41), false);
    EXPECT_EQ(holds(head, 7, 30), true);
    EXPECT_EQ(holds(head, 7, 31), false) << "batch 31 is another one, of term 9";
    EXPECT_EQ(holds(head, 5, 20), true);
    EXPECT_EQ(holds(head, 5, 21), false);
    EXPECT_EQ(holds(head, 4, 11), false) << "term 5 was the first to reach it";
    EXPECT_EQ(holds(head, 4, 10), std::nullopt) << "another term may have come between 4 and 5";
    EXPECT_EQ(holds(Head{9, 40, {}, false, 30, {}}, 7, 30), std::nullopt);
    EXPECT_EQ(holds(Head{9, 40, {}, false, 30, {}}, 7, 31), false);
}

TEST(Keys, ANewerFormatIsForeignAndAnyOtherTextDamaged) {
    EXPECT_TRUE(checkFormat(formatText()));
    EXPECT_TRUE(checkFormat("crnpd registrations, format 1")) << "it is upgraded by the first leader";
    EXPECT_EQ(formatText(), "crnpd registrations, format 2");
    EXPECT_EQ(checkFormat("crnpd registrations, format 3").error().code, ErrorCode::foreign);
    for (const auto* text : {"", "crnpd registrations, format ", "crnpd registrations, format 0",
                             "crnpd registrations, format 01", "crnpd registrations, format 1 ", "hello"})
        EXPECT_EQ(checkFormat(text).error().code, ErrorCode::damaged) << text;
}

TEST(Keys, ALeaderReadsBackAsItWas) {
    const Leader leader{"process 4711 on node1", "[::]:9444"};
    EXPECT_EQ(*decodeLeader(encodeLeader(leader)), leader);
    EXPECT_EQ(*decodeLeader(encodeLeader({"a", ""})), (Leader{"a", ""}));
    EXPECT_EQ(*decodeLeader(encodeLeader({"a\nb", "c\n"})), (Leader{"a b", "c "}));
    EXPECT_FALSE(decodeLeader("process 4711"));
    EXPECT_FALSE(decodeLeader("a\nb\nc"));
}

TEST(Keys, TheSumChangesWithEveryRowAndIsTheSameInAnyOrder) {
    Sum sum;
    sum.add(digestOf("a", "1"));
    sum.add(digestOf("b", "2"));
    Sum swapped;
    swapped.add(digestOf("a", "2"));
    swapped.add(digestOf("b", "1"));
    EXPECT_NE(sum, swapped);
    EXPECT_NE(digestOf("ab", "c"), digestOf("a", "bc"));
    sum.take(digestOf("a", "1"));
    sum.add(digestOf("a", "1"));
    Sum other;
    other.add(digestOf("b", "2"));
    other.add(digestOf("a", "1"));
    EXPECT_EQ(sum, other);
}

TEST(Keys, TheDigestOfARowStaysTheSameForEver) {
    // printf '%s' '3:key5:value' | xxhsum -H3
    EXPECT_EQ(digestOf("key", "value"), 0x4855cc667960e75bU);
}

}  // namespace
}  // namespace crnpd::etcd
