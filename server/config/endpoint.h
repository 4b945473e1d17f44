// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Where a member of etcd takes its clients, as an administrator writes it: "node1:2379",
// "https://[2001:db8::1]:2379".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace crnpd::config {

class Endpoint {
public:
    // `none` leaves it to the other settings whether TLS is spoken.
    enum class Scheme { none, http, https };

    // The error starts with the text.
    static Result<Endpoint> parse(std::string_view text);

    [[nodiscard]] Scheme scheme() const noexcept { return scheme_; }
    // A name, an IPv4 address, or an IPv6 address without its brackets.
    [[nodiscard]] const std::string& host() const noexcept { return host_; }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

    // HOST:PORT, [IPV6]:PORT
    [[nodiscard]] std::string hostAndPort() const;
    // As it was written.
    [[nodiscard]] std::string text() const;

    friend bool operator==(const Endpoint&, const Endpoint&) = default;

private:
    Scheme scheme_ = Scheme::none;
    std::string host_;
    std::uint16_t port_ = 0;
};

}  // namespace crnpd::config
