// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "common/address.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <climits>
#include <cstring>
#include <optional>
#include <utility>

#include <arpa/inet.h>
#include <net/if.h>

namespace crnpd {
namespace {

constexpr unsigned bitsOfV4 = 32;
constexpr unsigned bitsOfV6 = 128;
constexpr unsigned bitsBeforeMappedV4 = bitsOfV6 - bitsOfV4;

Error invalid(std::string text) {
    return Error{ErrorCode::invalidArgument, std::move(text)};
}

std::string quoted(std::string_view text) {
    return '"' + std::string(text) + '"';
}

// Only digits, no sign, no leading zero (inet_aton() would read one as octal), at most `largest`.
std::optional<std::uint32_t> decimal(std::string_view text, std::uint32_t largest) {
    std::uint32_t value = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || value > largest) return std::nullopt;
    if (text.size() > 1 && text.front() == '0') return std::nullopt;
    return value;
}

// inet_pton() wants a terminated string and would stop at a NUL inside.
template <typename Binary>
bool readBinary(int family, std::string_view text, Binary& out) {
    if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return false;
    return ::inet_pton(family, std::string(text).c_str(), &out) == 1;
}

// A number is taken before a name, so that what text() wrote is always read back as it was.
Result<std::uint32_t> readScope(std::string_view text) {
    if (const auto number = decimal(text, INT_MAX); number && *number > 0) return *number;
    if (!text.empty() && text.size() < IF_NAMESIZE && text.find('\0') == std::string_view::npos) {
        if (const auto index = ::if_nametoindex(std::string(text).c_str()); index > 0) return index;
    }
    return Error{ErrorCode::notFound, "there is no network interface " + quoted(text)};
}

// Clears all bits of `bytes` behind the first `length`.
void clearBehind(unsigned length, std::span<std::uint8_t> bytes) noexcept {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto first = static_cast<unsigned>(i) * 8U;
        if (length >= first + 8U) continue;
        const unsigned kept = length > first ? length - first : 0U;
        bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xFF00U >> kept));
    }
}

IpAddress fromBytes(std::span<const std::uint8_t> bytes, std::uint32_t scope) {
    if (bytes.size() == sizeof(in_addr)) {
        in_addr v4{};
        std::memcpy(&v4, bytes.data(), sizeof(v4));
        return IpAddress::from(v4);
    }
    in6_addr v6{};
    std::memcpy(&v6, bytes.data(), sizeof(v6));
    return IpAddress::from(v6, scope);
}

// Each registration is written down by its address, and inet_ntop() calls printf() for the four numbers.
std::string dotted(std::span<const std::uint8_t> bytes) {
    std::array<char, INET_ADDRSTRLEN> text{};
    char* end = text.data();
    for (const std::uint8_t byte : bytes) {
        if (end != text.data()) *end++ = '.';
        end = std::to_chars(end, text.data() + text.size(), byte).ptr;
    }
    return {text.data(), end};
}

unsigned bitsOf(const IpAddress& address) noexcept {
    return address.isV6() ? bitsOfV6 : bitsOfV4;
}

// The finaliser of splitmix64: every bit of the input reaches every bit of the result.
std::uint64_t mix(std::uint64_t value) noexcept {
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31U);
}

}  // namespace

Result<IpAddress> IpAddress::parse(std::string_view text) {
    if (in_addr v4{}; readBinary(AF_INET, text, v4)) return from(v4);

    const auto percent = text.find('%');
    in6_addr v6{};
    if (!readBinary(AF_INET6, text.substr(0, percent), v6)) {
        return invalid(quoted(text) + " is not an IP address");
    }
    if (percent == std::string_view::npos) return from(v6);

    if (!IN6_IS_ADDR_LINKLOCAL(&v6)) {
        return invalid(quoted(text) + " names an interface, which only a link-local address (fe80::/10) can");
    }
    const auto scope = readScope(text.substr(percent + 1));
    if (!scope) return Error{scope.error().code, quoted(text) + ": " + scope.error().text};
    return from(v6, *scope);
}

IpAddress IpAddress::from(const in_addr& address) {
    IpAddress result;
    std::memcpy(result.bytes_.data(), &address, sizeof(address));
    return result;
}

IpAddress IpAddress::from(const in6_addr& address, std::uint32_t scope) {
    IpAddress result;
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
        std::memcpy(result.bytes_.data(), &address.s6_addr[bitsBeforeMappedV4 / 8], sizeof(in_addr));
        return result;
    }
    result.v6_ = true;
    std::memcpy(result.bytes_.data(), &address, sizeof(address));
    // The kernel may report a scope for other addresses too; there it is no part of who they are.
    if (result.isLinkLocal()) result.scope_ = scope;
    return result;
}

bool IpAddress::isLoopback() const noexcept {
    if (!v6_) return bytes_[0] == 127;
    return std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto byte) { return byte == 0; }) &&
           bytes_.back() == 1;
}

bool IpAddress::isLinkLocal() const noexcept {
    return v6_ && bytes_[0] == 0xfe && (bytes_[1] & 0xc0U) == 0x80U;
}

std::span<const std::uint8_t> IpAddress::bytes() const noexcept {
    return std::span(bytes_).first(v6_ ? sizeof(in6_addr) : sizeof(in_addr));
}

std::string IpAddress::text() const {
    if (!v6_) return dotted(bytes());
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    ::inet_ntop(AF_INET6, bytes_.data(), buffer.data(), buffer.size());
    std::string result = buffer.data();
    if (scope_ != 0) result += '%' + std::to_string(scope_);
    return result;
}

std::string IpAddress::namedText() const {
    std::array<char, IF_NAMESIZE> name{};
    auto numbered = text();
    if (scope_ == 0 || ::if_indextoname(scope_, name.data()) == nullptr) return numbered;
    auto named = numbered.substr(0, numbered.find('%') + 1) + name.data();
    // A name that reads as a number, or that was given to another interface meanwhile, is of no use.
    const auto back = parse(named);
    return back && *back == *this ? named : numbered;
}

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
    const auto colon = text.rfind(':');
    const bool bracketed = text.starts_with('[');
    if (colon == std::string_view::npos || (bracketed && (colon < 2 || text[colon - 1] != ']'))) {
        return invalid(quoted(text) + " is not ADDRESS:PORT: the port is missing");
    }
    const auto host = bracketed ? text.substr(1, colon - 2) : text.substr(0, colon);
    const auto ip = IpAddress::parse(host);
    if (!ip) return ip.error();
    const bool writtenAsV6 = host.find(':') != std::string_view::npos;
    if (writtenAsV6 != bracketed) {
        return invalid(quoted(text) + ": an IPv6 address, and only that, stands in brackets: [ADDRESS]:PORT");
    }
    const auto port = decimal(text.substr(colon + 1), UINT16_MAX);
    if (!port) return invalid(quoted(text) + ": the port is not a number from 0 to 65535");
    return SocketAddress{*ip, static_cast<std::uint16_t>(*port)};
}

SocketAddress SocketAddress::from(const sockaddr_storage& address) {
    if (address.ss_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof(v4));
        return SocketAddress{IpAddress::from(v4.sin_addr), ntohs(v4.sin_port)};
    }
    assert(address.ss_family == AF_INET6);
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof(v6));
    return SocketAddress{IpAddress::from(v6.sin6_addr, v6.sin6_scope_id), ntohs(v6.sin6_port)};
}

socklen_t SocketAddress::toSockaddr(sockaddr_storage& out) const noexcept {
    out = {};
    const auto bytes = ip.bytes();
    if (ip.isV6()) {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        v6.sin6_scope_id = ip.scope();
        std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
        std::memcpy(&out, &v6, sizeof(v6));
        return sizeof(v6);
    }
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
    std::memcpy(&out, &v4, sizeof(v4));
    return sizeof(v4);
}

std::string SocketAddress::text() const {
    auto text = ip.isV6() ? '[' + ip.text() + ']' : ip.text();
    text += ':' + std::to_string(port);
    return text;
}

Result<Network> Network::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto base = IpAddress::parse(text.substr(0, slash));
    if (!base) return base.error();
    if (slash == std::string_view::npos) return Network(*base, bitsOf(*base));

    // ::ffff:10.0.0.0/104 is 10.0.0.0/8.
    const bool mapped = !base->isV6() && text.substr(0, slash).find(':') != std::string_view::npos;
    const unsigned widest = mapped ? bitsOfV6 : bitsOf(*base);
    const auto length = decimal(text.substr(slash + 1), widest);
    if (!length) {
        return invalid(quoted(text) + ": the mask length is not a number from 0 to " +
                       std::to_string(widest));
    }
    if (mapped && *length < bitsBeforeMappedV4) {
        return invalid(quoted(text) + " has bits behind the mask; an IPv4-mapped network has at least /" +
                       std::to_string(bitsBeforeMappedV4));
    }
    auto network = around(*base, mapped ? *length - bitsBeforeMappedV4 : *length);
    if (network.base_ != *base) {
        return invalid(quoted(text) + " has bits behind the mask: write " + network.text() +
                       " for the network or " + base->text() + " for this one address");
    }
    return network;
}

Network Network::around(const IpAddress& address, unsigned length) {
    length = std::min(length, bitsOf(address));
    std::array<std::uint8_t, sizeof(in6_addr)> base{};
    const auto bytes = address.bytes();
    std::ranges::copy(bytes, base.begin());
    clearBehind(length, base);
    return Network(fromBytes(std::span(base).first(bytes.size()), address.scope()), length);
}

bool Network::contains(const IpAddress& address) const noexcept {
    if (address.isV6() != base_.isV6()) return false;
    // A network that names no interface is meant on all of them.
    if (base_.scope() != 0 && base_.scope() != address.scope()) return false;

    const auto ours = base_.bytes();
    const auto theirs = address.bytes();
    const std::size_t whole = length_ / 8;
    if (!std::equal(ours.begin(), ours.begin() + static_cast<std::ptrdiff_t>(whole), theirs.begin()))
        return false;
    const unsigned rest = length_ % 8;
    return rest == 0 || ((static_cast<unsigned>(ours[whole]) ^ theirs[whole]) >> (8 - rest)) == 0;
}

std::string Network::text() const {
    return base_.text() + '/' + std::to_string(length_);
}

}  // namespace crnpd

std::size_t std::hash<crnpd::IpAddress>::operator()(const crnpd::IpAddress& address) const noexcept {
    std::array<std::uint64_t, 2> words{};
    const auto bytes = address.bytes();
    std::memcpy(words.data(), bytes.data(), bytes.size());
    const std::uint64_t kind =
        (static_cast<std::uint64_t>(address.scope()) << 1U) | (address.isV6() ? 1U : 0U);
    return crnpd::mix(crnpd::mix(crnpd::mix(words[0] + kind) ^ words[1]) + bytes.size());
}

std::size_t std::hash<crnpd::SocketAddress>::operator()(const crnpd::SocketAddress& address) const noexcept {
    const std::uint64_t port = address.port;
    return crnpd::mix(std::hash<crnpd::IpAddress>{}(address.ip) + port * 0x9e3779b97f4a7c15ULL);
}
