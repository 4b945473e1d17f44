// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Which server to speak to: a name or an address, and a port.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/result.h"

namespace crnpd::crnpctl {

struct ServerName {
    static constexpr std::uint16_t usualPort = 9444;

    std::string host = "127.0.0.1";
    std::uint16_t port = usualPort;

    // "HOST:PORT", "HOST", "192.0.2.1:9444", "[2001:db8::1]:9444", "2001:db8::1". Errors: invalidArgument.
    static Result<ServerName> parse(std::string_view text);
    [[nodiscard]] std::string text() const;

    friend bool operator==(const ServerName&, const ServerName&) = default;
};

// All addresses of the server, each once, in the system's order of preference. Blocks for as long as the
// system's resolver does. Errors: busy where a repetition can help, else notFound.
[[nodiscard]] Result<std::vector<SocketAddress>> resolve(const ServerName& server);

}  // namespace crnpd::crnpctl
