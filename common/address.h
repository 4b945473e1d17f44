// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// IP addresses, socket addresses and networks as values.
//
// An IPv4-mapped IPv6 address is the IPv4 address (section 1 of docs/protocol.md): it becomes one on
// construction, so two spellings of one address compare equal. A link-local IPv6 address keeps its
// interface, because without it nobody could call back.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <sys/socket.h>

#include "common/result.h"

namespace crnpd {

class IpAddress {
public:
    // 0.0.0.0
    IpAddress() = default;

    // "192.0.2.1", "2001:db8::1", "fe80::1%eth0". No brackets, no names.
    static Result<IpAddress> parse(std::string_view text);
    static IpAddress from(const in_addr& address);
    static IpAddress from(const in6_addr& address, std::uint32_t scope = 0);

    [[nodiscard]] bool isV6() const noexcept { return v6_; }
    [[nodiscard]] bool isLinkLocal() const noexcept;
    [[nodiscard]] bool isLoopback() const noexcept;
    // 4 or 16 bytes in network order.
    [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept;
    // Interface index of a link-local address, else 0.
    [[nodiscard]] std::uint32_t scope() const noexcept { return scope_; }
    [[nodiscard]] std::string text() const;
    // As text(), with the interface's name: for what outlives a start of the machine, which may give it
    // another number. The number where it has no name at the moment, or none that leads back to it.
    [[nodiscard]] std::string namedText() const;

    friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

private:
    bool v6_ = false;
    std::array<std::uint8_t, 16> bytes_{};
    std::uint32_t scope_ = 0;
};

struct SocketAddress {
    IpAddress ip;
    std::uint16_t port = 0;

    // "192.0.2.1:2001" or "[2001:db8::1]:2001".
    static Result<SocketAddress> parse(std::string_view text);
    // `address` is an AF_INET or AF_INET6 address as the socket calls return them.
    static SocketAddress from(const sockaddr_storage& address);
    // The length that bind() and connect() want with `out`.
    [[nodiscard]] socklen_t toSockaddr(sockaddr_storage& out) const noexcept;
    [[nodiscard]] std::string text() const;

    friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

// Who a client is: the source IP of its registration connection and the PORT it wrote in the message
// (section 1 of docs/protocol.md).
using CallbackAddress = SocketAddress;

// All addresses that share the first `length` bits.
class Network {
public:
    // "192.0.2.0/24", "2001:db8::/32"; a lone address is a network of one. Bits behind the mask must
    // be zero: "10.1.2.3/8" is a typing mistake more often than a wish.
    static Result<Network> parse(std::string_view text);
    // The network that an interface with this address and mask length is connected to.
    static Network around(const IpAddress& address, unsigned length);

    [[nodiscard]] bool contains(const IpAddress& address) const noexcept;
    [[nodiscard]] std::string text() const;

    friend bool operator==(const Network&, const Network&) = default;

private:
    Network(const IpAddress& base, unsigned length) : base_(base), length_(length) {}

    IpAddress base_;
    unsigned length_ = 0;  // in bits
};

}  // namespace crnpd

template <>
struct std::hash<crnpd::IpAddress> {
    std::size_t operator()(const crnpd::IpAddress& address) const noexcept;
};

template <>
struct std::hash<crnpd::SocketAddress> {
    std::size_t operator()(const crnpd::SocketAddress& address) const noexcept;
};
