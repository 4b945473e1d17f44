// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/server_name.h"

#include <string>

#include <gtest/gtest.h>

namespace crnpd::crnpctl {
namespace {

ServerName parsed(const std::string& text) {
    const auto server = ServerName::parse(text);
    EXPECT_TRUE(server) << text;
    return server ? *server : ServerName{"?", 0};
}

TEST(ServerName, HasTheProtocolsPortUnlessOneIsNamed) {
    EXPECT_EQ(parsed("crnp.example.com"), (ServerName{"crnp.example.com", 9444}));
    EXPECT_EQ(parsed("crnp.example.com:7"), (ServerName{"crnp.example.com", 7}));
    EXPECT_EQ(parsed("192.0.2.1:65535"), (ServerName{"192.0.2.1", 65535}));
}

TEST(ServerName, TakesIpv6InBracketsAndWithoutAPortBare) {
    EXPECT_EQ(parsed("[2001:db8::1]:7"), (ServerName{"2001:db8::1", 7}));
    EXPECT_EQ(parsed("[::1]"), (ServerName{"::1", 9444}));
    EXPECT_EQ(parsed("::1"), (ServerName{"::1", 9444}));
}

TEST(ServerName, RefusesWhatIsNoName) {
    for (const auto* const text : {"", ":9444", "host:", "host:0", "host:65536", "host:+1", "host:1x", "[::1",
                                   "[]:1", "[::1]9444", "a:b:c"}) {
        EXPECT_FALSE(ServerName::parse(text)) << text;
    }
}

TEST(ServerName, IsWrittenAsItIsRead) {
    EXPECT_EQ(ServerName().text(), "127.0.0.1:9444");
    EXPECT_EQ(parsed(parsed("[::1]:7").text()), (ServerName{"::1", 7}));
}

TEST(Resolve, TurnsAnAddressIntoItselfWithThePort) {
    const auto addresses = resolve({"::1", 7});
    ASSERT_TRUE(addresses);
    ASSERT_EQ(addresses->size(), 1U);
    EXPECT_EQ(addresses->front().text(), "[::1]:7");
}

}  // namespace
}  // namespace crnpd::crnpctl
