// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "common/dump/dump_line.h"

#include <gtest/gtest.h>

#include "common/registration_codec.h"

namespace crnpd::dump {
namespace {

using namespace std::chrono_literals;

CallbackAddress address(std::string_view text) {
    return CallbackAddress::parse(text).value();
}

std::string refusal(std::string_view line) {
    const auto row = readRow(line);
    return row ? "taken" : row.error().text;
}

TEST(DumpLineTest, AClientsLineHasTheShapeOfClientShow) {
    const std::vector<EventRegistration> events{{"C", std::nullopt, {}}, {"C", "S", {{"n", {"a", "b"}}}}};
    const ClientRecord client{7, address("192.0.2.1:2001"), encodeRegistrations(events)};
    EXPECT_EQ(clientLine(client).value(),
              R"({"client":"192.0.2.1:2001","id":7,"events":[{"class":"C","subclass":null,"pairs":[]},)"
              R"({"class":"C","subclass":"S","pairs":[{"name":"n","values":["a","b"]}]}]})");
    EXPECT_EQ(readRow(clientLine(client).value()).value(), Change(client));
}

TEST(DumpLineTest, AClientsLineHasWhereItSpokeToIfThatIsKnown) {
    ClientRecord client{.id = 7, .client = address("192.0.2.1:2001"), .registrations = "0:"};
    client.via = *IpAddress::parse("2001:db8::7");
    EXPECT_EQ(clientLine(client).value(),
              R"({"client":"192.0.2.1:2001","id":7,"via":"2001:db8::7","events":[]})");
    EXPECT_EQ(readRow(clientLine(client).value()).value(), Change(client));
    EXPECT_FALSE(readRow(R"({"client":"192.0.2.1:2001","id":7,"via":"here","events":[]})"));
}

TEST(DumpLineTest, ARemovalsLineHasItsTime) {
    const RemovalRecord removal{8, address("[2001:db8::1]:2002"), WallTime{1'700'000'000'123ms}};
    EXPECT_EQ(removalLine(removal),
              R"({"removed":"[2001:db8::1]:2002","id":8,"at":"2023-11-14T22:13:20.123Z"})");
    EXPECT_EQ(readRow(removalLine(removal)).value(), Change(removal));
}

TEST(DumpLineTest, PairsMayStandInAnyOrder) {
    const auto row = readRow(R"({"client":"192.0.2.1:1","id":1,"events":[{"class":"C","subclass":null,)"
                             R"("pairs":[{"name":"z","values":["1"]},{"name":"a","values":["1"]}]}]})");
    EventRegistration event{"C", std::nullopt, {{"z", {"1"}}, {"a", {"1"}}}};
    normalize(event);
    EXPECT_EQ(std::get<ClientRecord>(row.value()).registrations, encodeRegistrations({&event, 1}));
}

TEST(DumpLineTest, AnAddressWhoseInterfaceIsNotHereIsKeptApart) {
    const auto read = [](const std::string& line) {
        return std::get<ClientRecord>(readRow(line).value()).client;
    };
    const auto one = read(R"({"client":"[fe80::1%nosuch0]:2001","id":5,"events":[]})");
    const auto other = read(R"({"client":"[fe80::1%nosuch0]:2001","id":6,"events":[]})");
    EXPECT_TRUE(one.ip.isLinkLocal());
    EXPECT_EQ(one.port, 2001);
    EXPECT_NE(one, other);
    EXPECT_GE(one.ip.scope(), 0x80000000U);
}

TEST(DumpLineTest, WhatIsNoRowIsRefusedInWords) {
    EXPECT_EQ(refusal("nonsense"), "this is no line of a dump");
    EXPECT_EQ(refusal("[]"), "this is no line of a dump");
    EXPECT_EQ(refusal("{}"), "this is neither a client nor a removal");
    EXPECT_EQ(refusal(R"({"client":"192.0.2.1:1","removed":"192.0.2.1:1","id":1})"),
              "this is neither a client nor a removal");
    for (const auto* const id : {"0", "-1", "\"7\"", "1.5", "null", "4611686018427387905", "1e3"}) {
        EXPECT_EQ(refusal(R"({"client":"192.0.2.1:1","events":[],"id":)" + std::string(id) + "}"),
                  "its \"id\" is no number above 0")
            << id;
    }
    for (const auto* const text : {"", "192.0.2.1", "192.0.2.1:0", "host:1", "192.0.2.1%x:1"}) {
        EXPECT_EQ(refusal(R"({"client":")" + std::string(text) + R"(","events":[],"id":1})"),
                  "its \"client\" is no callback address, which is ADDRESS:PORT")
            << text;
    }
    EXPECT_EQ(refusal(R"({"removed":"192.0.2.1:1","id":1,"at":"yesterday"})"),
              "its \"at\" is no time like 2025-01-31T12:00:00.000Z");
}

TEST(DumpLineTest, EventsOfAnotherShapeAreRefused) {
    for (const auto* const events :
         {"null", "{}", "[7]", R"([{"class":"C"}])", R"([{"class":7,"subclass":null,"pairs":[]}])",
          R"([{"class":"C","subclass":7,"pairs":[]}])", R"([{"class":"C","subclass":null,"pairs":{}}])",
          R"([{"class":"C","subclass":null,"pairs":[{"name":"n","values":[]}]}])",
          R"([{"class":"C","subclass":null,"pairs":[{"name":"n","values":[1]}]}])",
          R"([{"class":"C","subclass":null,"pairs":[{"values":["v"]}]}])",
          R"([{"class":"a\u0000b","subclass":null,"pairs":[]}])"}) {
        EXPECT_EQ(refusal(R"({"client":"192.0.2.1:1","id":1,"events":)" + std::string(events) + "}"),
                  "its \"events\" are no list of event registrations")
            << events;
    }
    EXPECT_EQ(refusal(R"({"client":"192.0.2.1:1","id":1,"events":[{"class":"C","subclass":null,"pairs":[]},)"
                      R"({"class":"C","subclass":null,"pairs":[]}]})"),
              "one of its \"events\" is there twice");
}

TEST(DumpLineTest, ARecordThatIsDamagedIsNotWritten) {
    EXPECT_EQ(clientLine({1, address("192.0.2.1:1"), "2:"}).error().code, ErrorCode::damaged);
    EXPECT_EQ(clientLine({1, address("192.0.2.1:1"), "1:1:\xff-0:"}).error().code, ErrorCode::damaged);
}

TEST(DumpLineTest, ANewerFormatIsToldApartFromNonsense) {
    const auto newer = readHeader(R"({"crnpd_dump":2,"server":"9.1","rows":"otherwise"})");
    ASSERT_FALSE(newer);
    EXPECT_EQ(newer.error().code, ErrorCode::foreign);
    EXPECT_EQ(newer.error().text,
              "the dump has format 2, made by crnpd 9.1; this crnpd knows formats up to 1: use crnpd and "
              "crnpctl of "
              "that version or a newer one");
    for (const auto* const line :
         {"", "{}", "[1]", R"({"crnpd_dump":"1"})", R"({"crnpd_dump":0})", "<xml/>"}) {
        EXPECT_EQ(readHeader(line).error().code, ErrorCode::damaged) << line;
    }
    EXPECT_EQ(
        readHeader(
            R"({"crnpd_dump":1,"made":"2025-01-31T12:00:00.000Z","revision":1,"clients":-1,"removals":0})")
            .error()
            .code,
        ErrorCode::damaged);
}

}  // namespace
}  // namespace crnpd::dump
