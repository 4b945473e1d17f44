// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/server_name.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>

#include <netdb.h>

#include "common/xml/text.h"

namespace crnpd::crnpctl {
namespace {

Error wrong(std::string_view text) {
    return Error{ErrorCode::invalidArgument,
                 xml::quoted(text) +
                     " is not HOST:PORT (a name or an address, an IPv6 address in brackets: [::1]:9444)"};
}

std::optional<std::uint16_t> portIn(std::string_view text) {
    unsigned port = 0;
    const auto* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, port);
    if (error != std::errc{} || stop != end) return std::nullopt;
    if (port < 1 || port > std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
    return static_cast<std::uint16_t>(port);
}

// The parts as they were typed; the port is absent if it was not typed.
struct Parts {
    std::string_view host;
    std::optional<std::string_view> port;
};

std::optional<Parts> split(std::string_view text) {
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos) return std::nullopt;
        const auto behind = text.substr(close + 1);
        if (behind.empty()) return Parts{text.substr(1, close - 1), std::nullopt};
        if (behind.front() != ':') return std::nullopt;
        return Parts{text.substr(1, close - 1), behind.substr(1)};
    }
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return Parts{text, std::nullopt};
    // More than one colon: an IPv6 address without brackets, which leaves no place for a port.
    if (text.find(':', colon + 1) != std::string_view::npos) {
        return IpAddress::parse(text) ? std::optional<Parts>{Parts{text, std::nullopt}} : std::nullopt;
    }
    return Parts{text.substr(0, colon), text.substr(colon + 1)};
}

struct FreeAddresses {
    void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

}  // namespace

Result<ServerName> ServerName::parse(std::string_view text) {
    const auto parts = split(text);
    if (!parts || parts->host.empty() || parts->host.find('\0') != std::string_view::npos) return wrong(text);
    ServerName server;
    server.host = parts->host;
    if (parts->port) {
        const auto port = portIn(*parts->port);
        if (!port) return wrong(text);
        server.port = *port;
    }
    return server;
}

std::string ServerName::text() const {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<std::vector<SocketAddress>> resolve(const ServerName& server) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int status =
        ::getaddrinfo(server.host.c_str(), std::to_string(server.port).c_str(), &hints, &found);
    const int systemError = errno;
    const std::unique_ptr<addrinfo, FreeAddresses> list(found);
    if (status != 0) {
        const auto* const why = status == EAI_SYSTEM ? std::strerror(systemError) : ::gai_strerror(status);
        return Error{status == EAI_AGAIN ? ErrorCode::busy : ErrorCode::notFound,
                     "cannot find the address of " + xml::quoted(server.host) + ": " + why};
    }

    std::vector<SocketAddress> addresses;
    for (const auto* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
        if (entry->ai_family != AF_INET && entry->ai_family != AF_INET6) continue;
        sockaddr_storage storage{};
        std::memcpy(&storage, entry->ai_addr, std::min<std::size_t>(entry->ai_addrlen, sizeof(storage)));
        const auto address = SocketAddress::from(storage);
        if (std::find(addresses.begin(), addresses.end(), address) == addresses.end())
            addresses.push_back(address);
    }
    if (addresses.empty()) return Error{ErrorCode::notFound, xml::quoted(server.host) + " has no IP address"};
    return addresses;
}

}  // namespace crnpd::crnpctl
