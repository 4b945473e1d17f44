// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "common/address.h"

#include <cstring>
#include <unordered_set>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>

namespace crnpd {
namespace {

IpAddress ip(std::string_view text) {
    const auto parsed = IpAddress::parse(text);
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().text);
    return parsed ? *parsed : IpAddress{};
}

SocketAddress socketAddress(std::string_view text) {
    const auto parsed = SocketAddress::parse(text);
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().text);
    return parsed ? *parsed : SocketAddress{};
}

Network network(std::string_view text) {
    const auto parsed = Network::parse(text);
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().text);
    return parsed ? *parsed : Network::around(IpAddress{}, 32);
}

template <typename T>
std::string refusal(std::string_view text) {
    const auto parsed = T::parse(text);
    return parsed ? "accepted as " + parsed->text() : parsed.error().text;
}

std::string there(const SocketAddress& address) {
    sockaddr_storage raw{};
    const auto length = address.toSockaddr(raw);
    EXPECT_EQ(length, address.ip.isV6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
    return SocketAddress::from(raw).text();
}

TEST(IpAddressTest, TextComesBackInItsShortestForm) {
    EXPECT_EQ(ip("192.0.2.1").text(), "192.0.2.1");
    EXPECT_EQ(ip("2001:DB8:0:0:0:0:0:1").text(), "2001:db8::1");
    EXPECT_EQ(ip("::").text(), "::");
    EXPECT_EQ(IpAddress{}.text(), "0.0.0.0");
}

TEST(IpAddressTest, LoopbackIsTheWholeOf127AndOneV6Address) {
    for (const auto* const address : {"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"}) {
        EXPECT_TRUE(ip(address).isLoopback()) << address;
    }
    for (const auto* const address : {"128.0.0.1", "0.0.0.1", "::", "::2", "2001::1"}) {
        EXPECT_FALSE(ip(address).isLoopback()) << address;
    }
}

TEST(IpAddressTest, BytesAreInNetworkOrder) {
    EXPECT_EQ(ip("192.0.2.1").bytes().size(), 4U);
    EXPECT_EQ(ip("192.0.2.1").bytes()[0], 192);
    EXPECT_EQ(ip("2001:db8::1").bytes().size(), 16U);
    EXPECT_EQ(ip("2001:db8::1").bytes()[1], 1);
}

TEST(IpAddressTest, AnIpv4MappedAddressIsTheIpv4Address) {
    EXPECT_EQ(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
    EXPECT_EQ(ip("::ffff:c000:201"), ip("192.0.2.1"));
    EXPECT_FALSE(ip("::ffff:192.0.2.1").isV6());
    EXPECT_EQ(ip("::ffff:192.0.2.1").text(), "192.0.2.1");
}

TEST(IpAddressTest, OtherAddressesWithAnIpv4TailStayIpv6) {
    EXPECT_TRUE(ip("::192.0.2.1").isV6());
    EXPECT_TRUE(ip("64:ff9b::192.0.2.1").isV6());
}

TEST(IpAddressTest, WhatIsNoAddressIsRefused) {
    for (const auto* text :
         {"", " ", "localhost", "192.0.2", "192.0.2.1.5", "192.0.2.256", "192.0.2.01", "0x7f.1", " 192.0.2.1",
          "192.0.2.1 ", "[::1]", "::1::", "1:2:3:4:5:6:7", "12345::", "192.0.2.1/32"}) {
        EXPECT_EQ(refusal<IpAddress>(text), '"' + std::string(text) + "\" is not an IP address");
    }
}

TEST(IpAddressTest, ANulInsideIsNoEnd) {
    EXPECT_FALSE(IpAddress::parse(std::string_view("192.0.2.1\0x", 11)));
    EXPECT_FALSE(IpAddress::parse(std::string_view("fe80::1%lo\0x", 12)));
}

TEST(IpAddressTest, ALinkLocalAddressTakesItsInterfaceByNameOrNumber) {
    const auto loopback = ::if_nametoindex("lo");
    ASSERT_GT(loopback, 0U);
    EXPECT_EQ(ip("fe80::1%lo").scope(), loopback);
    EXPECT_EQ(ip("fe80::1%lo"), ip("fe80::1%" + std::to_string(loopback)));
    EXPECT_EQ(ip("febf::1%7").scope(), 7U);
}

// What a store kept must be readable where that interface does not exist.
TEST(IpAddressTest, TheTextOfALinkLocalAddressIsReadBackWithoutItsInterface) {
    const auto address = ip("fe80::1%2147483647");
    EXPECT_EQ(address.text(), "fe80::1%2147483647");
    EXPECT_EQ(ip(address.text()), address);
}

TEST(IpAddressTest, TheSameLinkLocalAddressOnTwoInterfacesIsTwoAddresses) {
    EXPECT_NE(ip("fe80::1%1"), ip("fe80::1%2"));
    EXPECT_NE(ip("fe80::1%1"), ip("fe80::1"));
}

TEST(IpAddressTest, AnInterfaceThatDoesNotExistIsNamed) {
    EXPECT_EQ(refusal<IpAddress>("fe80::1%nosuch0"),
              "\"fe80::1%nosuch0\": there is no network interface \"nosuch0\"");
    EXPECT_EQ(IpAddress::parse("fe80::1%nosuch0").error().code, ErrorCode::notFound);
    for (const auto* text :
         {"fe80::1%", "fe80::1%0", "fe80::1%-1", "fe80::1%4294967298", "fe80::1%a-name-that-is-too-long"}) {
        EXPECT_FALSE(IpAddress::parse(text)) << text;
    }
}

TEST(IpAddressTest, OnlyALinkLocalAddressNamesAnInterface) {
    EXPECT_EQ(refusal<IpAddress>("2001:db8::1%lo"),
              "\"2001:db8::1%lo\" names an interface, which only a link-local address (fe80::/10) can");
    EXPECT_FALSE(IpAddress::parse("127.0.0.1%lo"));
    EXPECT_TRUE(ip("fe80::1").isLinkLocal());
    EXPECT_FALSE(ip("fec0::1").isLinkLocal());
    EXPECT_FALSE(ip("169.254.0.1").isLinkLocal());
}

TEST(IpAddressTest, AScopeThatTheKernelReportsForOtherAddressesIsDropped) {
    in6_addr global{};
    ASSERT_EQ(::inet_pton(AF_INET6, "2001:db8::1", &global), 1);
    EXPECT_EQ(IpAddress::from(global, 3), ip("2001:db8::1"));
}

TEST(IpAddressTest, EqualAddressesHashAlikeAndNeighboursDoNot) {
    const std::hash<IpAddress> hash;
    EXPECT_EQ(hash(ip("::ffff:10.0.0.1")), hash(ip("10.0.0.1")));
    EXPECT_NE(hash(ip("10.0.0.1")), hash(ip("10.0.0.2")));
    EXPECT_NE(hash(ip("fe80::1%1")), hash(ip("fe80::1%2")));
    EXPECT_NE(hash(ip("0.0.0.0")), hash(ip("::")));
}

TEST(SocketAddressTest, TextIsReadAndWritten) {
    for (const auto* text :
         {"192.0.2.1:2001", "[2001:db8::1]:2001", "0.0.0.0:0", "[::]:65535", "[fe80::1%7]:1"}) {
        EXPECT_EQ(socketAddress(text).text(), text);
    }
}

TEST(SocketAddressTest, AMappedAddressInBracketsIsIpv4) {
    EXPECT_EQ(socketAddress("[::ffff:192.0.2.1]:2001"), socketAddress("192.0.2.1:2001"));
}

TEST(SocketAddressTest, AMissingPortIsSaid) {
    EXPECT_EQ(refusal<SocketAddress>("192.0.2.1"), "\"192.0.2.1\" is not ADDRESS:PORT: the port is missing");
    EXPECT_EQ(refusal<SocketAddress>("[::1]"), "\"[::1]\" is not ADDRESS:PORT: the port is missing");
    EXPECT_EQ(refusal<SocketAddress>("[2001:db8::1"),
              "\"[2001:db8::1\" is not ADDRESS:PORT: the port is missing");
    EXPECT_FALSE(SocketAddress::parse(""));
    EXPECT_FALSE(SocketAddress::parse("["));
    EXPECT_FALSE(SocketAddress::parse("[]:1"));
    EXPECT_FALSE(SocketAddress::parse(":1"));
}

TEST(SocketAddressTest, APortIsANumberUpTo65535) {
    for (const auto* text :
         {"192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1:+1", "192.0.2.1: 1", "192.0.2.1:1 ",
          "192.0.2.1:0x1", "192.0.2.1:080", "192.0.2.1:99999999999", "192.0.2.1:http"}) {
        EXPECT_EQ(refusal<SocketAddress>(text),
                  '"' + std::string(text) + "\": the port is not a number from 0 to 65535");
    }
}

TEST(SocketAddressTest, BracketsAreForIpv6AndOnlyForIt) {
    EXPECT_EQ(refusal<SocketAddress>("::1:9444"),
              "\"::1:9444\": an IPv6 address, and only that, stands in brackets: [ADDRESS]:PORT");
    EXPECT_EQ(refusal<SocketAddress>("[192.0.2.1]:9444"),
              "\"[192.0.2.1]:9444\": an IPv6 address, and only that, stands in brackets: [ADDRESS]:PORT");
}

TEST(SocketAddressTest, TheSocketCallsGetAndGiveTheSameAddress) {
    for (const auto* text : {"192.0.2.1:2001", "[2001:db8::1]:2001", "[fe80::1%7]:9444"}) {
        EXPECT_EQ(there(socketAddress(text)), text);
    }
}

TEST(SocketAddressTest, AConnectionToADualStackSocketIsAnIpv4Client) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(40000);
    ASSERT_EQ(::inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr), 1);
    sockaddr_storage raw{};
    std::memcpy(&raw, &v6, sizeof(v6));

    EXPECT_EQ(SocketAddress::from(raw), socketAddress("192.0.2.1:40000"));
}

TEST(SocketAddressTest, EveryPortOfOneHostHashesDifferently) {
    std::unordered_set<std::size_t> seen;
    for (std::uint32_t port = 0; port <= UINT16_MAX; ++port) {
        seen.insert(std::hash<SocketAddress>{}({ip("192.0.2.1"), static_cast<std::uint16_t>(port)}));
    }
    EXPECT_EQ(seen.size(), 65536U);
}

TEST(SocketAddressTest, AddressesAreOrderedByHostAndThenByPort) {
    EXPECT_LT(socketAddress("192.0.2.1:9"), socketAddress("192.0.2.1:10"));
    EXPECT_LT(socketAddress("192.0.2.1:10"), socketAddress("192.0.2.2:1"));
    EXPECT_LT(socketAddress("255.255.255.255:1"), socketAddress("[::1]:1"));
}

TEST(NetworkTest, ContainsWhatSharesTheMaskedBits) {
    EXPECT_TRUE(network("10.0.0.0/8").contains(ip("10.255.255.255")));
    EXPECT_FALSE(network("10.0.0.0/8").contains(ip("11.0.0.0")));
    EXPECT_TRUE(network("192.0.2.128/25").contains(ip("192.0.2.129")));
    EXPECT_FALSE(network("192.0.2.128/25").contains(ip("192.0.2.127")));
    EXPECT_TRUE(network("2001:db8::/33").contains(ip("2001:db8:7fff::1")));
    EXPECT_FALSE(network("2001:db8::/33").contains(ip("2001:db8:8000::1")));
}

TEST(NetworkTest, EveryMaskLengthSplitsWhereItSays) {
    for (unsigned length = 1; length <= 32; ++length) {
        const in_addr zero{};
        const in_addr outside{htonl(1U << (32 - length))};
        const auto around = Network::around(IpAddress::from(zero), length);
        EXPECT_FALSE(around.contains(IpAddress::from(outside))) << length;
        const in_addr inside{htonl((1U << (32 - length)) - 1)};
        EXPECT_TRUE(around.contains(IpAddress::from(inside))) << length;
    }
}

TEST(NetworkTest, ALoneAddressIsANetworkOfOne) {
    EXPECT_EQ(network("192.0.2.1"), network("192.0.2.1/32"));
    EXPECT_TRUE(network("2001:db8::1").contains(ip("2001:db8::1")));
    EXPECT_FALSE(network("2001:db8::1").contains(ip("2001:db8::2")));
    EXPECT_EQ(network("2001:db8::1").text(), "2001:db8::1/128");
}

TEST(NetworkTest, MaskLengthZeroIsEveryAddressOfItsFamily) {
    EXPECT_TRUE(network("0.0.0.0/0").contains(ip("203.0.113.9")));
    EXPECT_FALSE(network("0.0.0.0/0").contains(ip("2001:db8::1")));
    EXPECT_TRUE(network("::/0").contains(ip("2001:db8::1")));
    EXPECT_FALSE(network("::/0").contains(ip("203.0.113.9")));
}

TEST(NetworkTest, AMappedNetworkIsTheIpv4Network) {
    EXPECT_EQ(network("::ffff:10.0.0.0/104"), network("10.0.0.0/8"));
    EXPECT_EQ(network("::ffff:0:0/96"), network("0.0.0.0/0"));
    EXPECT_EQ(refusal<Network>("::ffff:0:0/80"),
              "\"::ffff:0:0/80\" has bits behind the mask; an IPv4-mapped network has at least /96");
}

TEST(NetworkTest, BitsBehindTheMaskAreRefusedWithBothRepairs) {
    EXPECT_EQ(refusal<Network>("10.1.2.3/8"),
              "\"10.1.2.3/8\" has bits behind the mask: write 10.0.0.0/8 for the network or 10.1.2.3 for "
              "this one address");
    EXPECT_FALSE(Network::parse("2001:db8::1/64"));
}

TEST(NetworkTest, AMaskLengthIsANumberWithinTheFamily) {
    EXPECT_EQ(refusal<Network>("10.0.0.0/33"),
              "\"10.0.0.0/33\": the mask length is not a number from 0 to 32");
    EXPECT_EQ(refusal<Network>("::/129"), "\"::/129\": the mask length is not a number from 0 to 128");
    for (const auto* text : {"10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/8 ",
                             "10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "/8", "10.0.0/8", "LOCAL"}) {
        EXPECT_FALSE(Network::parse(text)) << text;
    }
}

TEST(NetworkTest, ALinkLocalNetworkWithAnInterfaceHoldsOnlyThatInterface) {
    EXPECT_TRUE(network("fe80::%7/64").contains(ip("fe80::1%7")));
    EXPECT_FALSE(network("fe80::%7/64").contains(ip("fe80::1%8")));
    EXPECT_FALSE(network("fe80::%7/64").contains(ip("fe80::1")));
    EXPECT_TRUE(network("fe80::/64").contains(ip("fe80::1%7")));
    EXPECT_EQ(network("fe80::%7/64").text(), "fe80::%7/64");
}

TEST(NetworkTest, TheNetworkAroundAnAddressIsItsMaskedAddress) {
    EXPECT_EQ(Network::around(ip("192.0.2.77"), 26).text(), "192.0.2.64/26");
    EXPECT_EQ(Network::around(ip("2001:db8::beef"), 64).text(), "2001:db8::/64");
    EXPECT_EQ(Network::around(ip("fe80::1%7"), 64).text(), "fe80::%7/64");
    EXPECT_EQ(Network::around(ip("192.0.2.77"), 99).text(), "192.0.2.77/32");
}

}  // namespace
}  // namespace crnpd
