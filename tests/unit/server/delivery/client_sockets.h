// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A client's listening socket, on a port that the system chooses.
#pragma once

#include <stdexcept>
#include <string>

#include <poll.h>
#include <sys/socket.h>

#include "common/address.h"
#include "common/unique_fd.h"

namespace crnpd::delivery {

inline constexpr int longestWaitMs = 10'000;

class ClientSocket {
public:
    ClientSocket() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_storage address{};
        const socklen_t length = SocketAddress{*IpAddress::parse("127.0.0.1"), 0}.toSockaddr(address);
        if (::bind(fd_.fd(), reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
            ::listen(fd_.fd(), 64) != 0)
            throw std::runtime_error("no listening socket");
    }

    [[nodiscard]] SocketAddress address() const {
        sockaddr_storage own{};
        socklen_t length = sizeof own;
        ::getsockname(fd_.fd(), reinterpret_cast<sockaddr*>(&own), &length);
        return SocketAddress::from(own);
    }
    // Nothing if nobody comes in time.
    [[nodiscard]] UniqueFd accept(int waitMs = longestWaitMs) const {
        pollfd ready{fd_.fd(), POLLIN, 0};
        if (::poll(&ready, 1, waitMs) != 1) return {};
        return UniqueFd(::accept4(fd_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    }
    // One connection to its end: what was sent.
    [[nodiscard]] std::string receive() const {
        const UniqueFd peer = accept();
        std::string text;
        char buffer[4096];
        for (ssize_t length = 1; peer && (length = ::recv(peer.fd(), buffer, sizeof buffer, 0)) > 0;)
            text.append(buffer, static_cast<std::size_t>(length));
        return text;
    }
    void close() { fd_.reset(); }

private:
    UniqueFd fd_;
};

}  // namespace crnpd::delivery
