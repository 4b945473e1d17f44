// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/endpoint.h"

#include <gtest/gtest.h>

namespace crnpd::config {
namespace {

std::string refusal(std::string_view text) {
    const auto endpoint = Endpoint::parse(text);
    return endpoint ? "taken as " + endpoint->text() : endpoint.error().text;
}

TEST(EndpointTest, APlainOneHasNoScheme) {
    const auto endpoint = Endpoint::parse("node-1.example.org:2379").value();
    EXPECT_EQ(endpoint.scheme(), Endpoint::Scheme::none);
    EXPECT_EQ(endpoint.host(), "node-1.example.org");
    EXPECT_EQ(endpoint.port(), 2379);
}

TEST(EndpointTest, TheSchemeIsTaken) {
    EXPECT_EQ(Endpoint::parse("http://127.0.0.1:1").value().scheme(), Endpoint::Scheme::http);
    EXPECT_EQ(Endpoint::parse("https://127.0.0.1:1").value().scheme(), Endpoint::Scheme::https);
}

TEST(EndpointTest, AnIpv6AddressStandsInBrackets) {
    const auto endpoint = Endpoint::parse("https://[2001:db8::1]:2379").value();
    EXPECT_EQ(endpoint.host(), "2001:db8::1");
    EXPECT_EQ(endpoint.hostAndPort(), "[2001:db8::1]:2379");
    EXPECT_EQ(refusal("2001:db8::1"),
              R"("2001:db8::1" is an IPv6 address without brackets: write [ADDRESS]:PORT)");
    EXPECT_EQ(refusal("[node1]:2379"), R"("[node1]:2379" has no IPv6 address in its brackets)");
}

TEST(EndpointTest, TheTextIsAsItWasWritten) {
    for (const auto* const text :
         {"node1:2379", "http://127.0.0.1:65535", "https://node_1.example.org:1", "[::1]:2379"}) {
        EXPECT_EQ(Endpoint::parse(text).value().text(), text);
    }
}

TEST(EndpointTest, WhatIsNoEndpointIsRefusedInWords) {
    EXPECT_EQ(refusal("node1"), R"("node1" is not HOST:PORT: the port is missing)");
    EXPECT_EQ(refusal("https://node1:2379/"), R"("https://node1:2379/" has more than HOST:PORT in it)");
    EXPECT_EQ(refusal("ftp://node1:2379"), R"("ftp://node1:2379" has more than HOST:PORT in it)");
    for (const auto* const text : {"node1:0", "node1:65536", "node1:", "node1:x", "node1:+5", "node1:5 "}) {
        EXPECT_NE(refusal(text).find("has no port from 1 to 65535"), std::string::npos) << refusal(text);
    }
    for (const auto* const text : {":2379", "no de:2379", "nöde:2379", ".node:1"}) {
        EXPECT_NE(refusal(text).find("does not begin with a host's name or address"), std::string::npos)
            << refusal(text);
    }
}

}  // namespace
}  // namespace crnpd::config
