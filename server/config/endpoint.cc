// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/endpoint.h"

#include <algorithm>
#include <charconv>

#include "common/address.h"
#include "server/config/value.h"

namespace crnpd::config {
namespace {

constexpr std::string_view plain = "http://";
constexpr std::string_view secure = "https://";
constexpr std::size_t longestHost = 253;  // of a name in DNS

bool isHostName(std::string_view text) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '.' || c == '_';
    };
    return !text.empty() && text.size() <= longestHost && text.front() != '.' &&
           std::ranges::all_of(text, fits);
}

bool isV6(std::string_view text) {
    const auto address = IpAddress::parse(text);
    return address && address->isV6();
}

// 0 where it is none.
std::uint16_t portIn(std::string_view text) {
    std::uint16_t port = 0;
    const auto* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, port);
    return error == std::errc{} && stop == end ? port : std::uint16_t{0};
}

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view text) {
    const auto refusal = [text](std::string_view reason) {
        return Error{ErrorCode::invalidArgument, shortInQuotes(text) + ' ' + std::string(reason)};
    };
    Endpoint endpoint;
    auto rest = text;
    if (rest.starts_with(plain)) {
        endpoint.scheme_ = Scheme::http;
        rest.remove_prefix(plain.size());
    } else if (rest.starts_with(secure)) {
        endpoint.scheme_ = Scheme::https;
        rest.remove_prefix(secure.size());
    }
    if (rest.find('/') != std::string_view::npos) return refusal("has more than HOST:PORT in it");

    const auto colon = rest.rfind(':');
    if (colon == std::string_view::npos) return refusal("is not HOST:PORT: the port is missing");
    auto host = rest.substr(0, colon);
    endpoint.port_ = portIn(rest.substr(colon + 1));
    if (endpoint.port_ == 0) return refusal("has no port from 1 to 65535");
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
        if (!isV6(host)) return refusal("has no IPv6 address in its brackets");
    } else if (isV6(host) || isV6(rest)) {
        return refusal("is an IPv6 address without brackets: write [ADDRESS]:PORT");
    } else if (!isHostName(host)) {
        return refusal("does not begin with a host's name or address");
    }
    endpoint.host_ = host;
    return endpoint;
}

std::string Endpoint::hostAndPort() const {
    const bool v6 = host_.find(':') != std::string::npos;
    return (v6 ? '[' + host_ + ']' : host_) + ':' + std::to_string(port_);
}

std::string Endpoint::text() const {
    const auto scheme = scheme_ == Scheme::none   ? std::string_view{}
                        : scheme_ == Scheme::http ? plain
                                                  : secure;
    return std::string(scheme) + hostAndPort();
}

}  // namespace crnpd::config
