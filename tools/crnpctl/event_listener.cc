// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/event_listener.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace crnpd::crnpctl {
namespace {

constexpr std::size_t readSize = 65'536;
// In front of the connections, in the order of connections_.
constexpr std::size_t stopEntry = 0;
constexpr std::size_t listenerEntry = 1;
constexpr std::size_t firstConnection = 2;

std::string textOf(int error) {
    return std::strerror(error);
}

Error cannotListen(const SocketAddress& address, int error) {
    const auto what = fmt::format("cannot listen on {}: {}", address.text(), textOf(error));
    switch (error) {
        case EADDRINUSE:
            return {ErrorCode::busy,
                    fmt::format(
                        "{}: another program has this port. End that program (`ss -ltnp 'sport = :{}'` shows "
                        "it), or take another --port; 0 is any free one",
                        what, address.port)};
        case EACCES:
            return {ErrorCode::invalidArgument,
                    what + ": this port is for root alone; take another --port; 0 is any free one"};
        case EADDRNOTAVAIL:
            return {
                ErrorCode::invalidArgument,
                what + ": the address is not one of this machine; give one that is as --address, or none"};
        default:
            return {ErrorCode::io, what};
    }
}

bool setOption(int fd, int level, int name, int value) {
    return ::setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

// A listening socket, or the error number.
std::pair<UniqueFd, int> listenOn(const SocketAddress& address, bool onlyV6) {
    UniqueFd socket(
        ::socket(address.ip.isV6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return {UniqueFd(), errno};
    const bool prepared =
        setOption(socket.fd(), SOL_SOCKET, SO_REUSEADDR, 1) &&
        (!address.ip.isV6() || setOption(socket.fd(), IPPROTO_IPV6, IPV6_V6ONLY, onlyV6 ? 1 : 0));
    if (!prepared) return {UniqueFd(), errno};
    sockaddr_storage storage{};
    const socklen_t length = address.toSockaddr(storage);
    if (::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&storage), length) != 0)
        return {UniqueFd(), errno};
    if (::listen(socket.fd(), SOMAXCONN) != 0) return {UniqueFd(), errno};
    return {std::move(socket), 0};
}

SocketAddress localAddress(int fd) {
    sockaddr_storage storage{};
    socklen_t length = sizeof(storage);
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
    return SocketAddress::from(storage);
}

// Whether close() resets the connection. An orderly end, even of what was hardly begun, can look to the
// server like the close behind a whole document.
void resetOnClose(int fd, bool on) {
    const linger option{on ? 1 : 0, 0};
    // Fails for a socket that is broken already, which is as good as reset.
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, sizeof(option));
}

struct Accepted {
    UniqueFd socket;  // resets on close
    SocketAddress peer;
    int error = 0;  // why there is no socket
};

Accepted acceptOne(int listener) {
    for (;;) {
        sockaddr_storage storage{};
        socklen_t length = sizeof(storage);
        UniqueFd socket(::accept4(listener, reinterpret_cast<sockaddr*>(&storage), &length,
                                  SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (socket) {
            resetOnClose(socket.fd(), true);
            return {std::move(socket), SocketAddress::from(storage), 0};
        }
        const int error = errno;
        const bool ofTheCaller = error == EINTR || error == ECONNABORTED || error == EPROTO;
        if (!ofTheCaller) return {UniqueFd(), {}, error};
    }
}

bool nobodyWaits(int error) {
    return error == EAGAIN || error == EWOULDBLOCK;
}

}  // namespace

Result<EventListener> EventListener::open(const std::optional<IpAddress>& address, std::uint16_t port,
                                          Limits limits) {
    SocketAddress wanted{address.value_or(IpAddress::from(in6addr_any)), port};
    auto [socket, error] = listenOn(wanted, address.has_value());
    // A machine without IPv6.
    if (!address && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)) {
        wanted.ip = IpAddress();
        std::tie(socket, error) = listenOn(wanted, false);
    }
    if (!socket) return cannotListen(wanted, error);
    const auto bound = localAddress(socket.fd());
    return EventListener(std::move(socket), bound, limits);
}

bool EventListener::turnAway() {
    for (;;) {
        const auto caller = acceptOne(listener_.fd());
        if (!caller.socket) return nobodyWaits(caller.error);
    }
}

Result<void> EventListener::run(int stop, const Callbacks& callbacks) {
    for (bool more = true; more;) {
        auto entries = watched(stop);
        if (::poll(entries.data(), entries.size(), timeLeft()) < 0) {
            const int error = errno;
            if (error == EINTR) continue;
            return Error{ErrorCode::io, "cannot wait for events: " + textOf(error)};
        }
        if (entries[stopEntry].revents != 0) break;
        more = serve(entries, callbacks);
        std::erase_if(connections_, [](const Connection& connection) { return connection.over; });
        if (more && entries[listenerEntry].revents != 0) accept(callbacks);
    }
    connections_.clear();
    return {};
}

// poll() does not look at a negative descriptor.
std::vector<pollfd> EventListener::watched(int stop) const {
    std::vector<pollfd> entries{{stop, POLLIN, 0}, {mayAccept() ? listener_.fd() : -1, POLLIN, 0}};
    for (const auto& connection : connections_)
        entries.push_back({connection.socket.fd(), POLLIN, 0});
    return entries;
}

bool EventListener::mayAccept() const {
    return connections_.size() < limits_.connections && (!acceptAgain_ || acceptAgain_->forPoll() == 0);
}

// Until something must be done though nothing is readable, as poll() wants it.
int EventListener::timeLeft() const {
    int left = -1;
    const auto atMost = [&](int limit) { left = left < 0 ? limit : std::min(left, limit); };
    for (const auto& connection : connections_)
        atMost(connection.end.forPoll());
    if (acceptAgain_ && acceptAgain_->forPoll() > 0) atMost(acceptAgain_->forPoll());
    return left;
}

// False: no more is wanted. Only who has nothing for us is too late: it may have been us who did not read.
bool EventListener::serve(const std::vector<pollfd>& entries, const Callbacks& callbacks) {
    for (std::size_t i = 0; i < connections_.size(); ++i) {
        auto& connection = connections_[i];
        if (entries[firstConnection + i].revents != 0) {
            if (!read(connection, callbacks)) return false;
        } else if (connection.end.forPoll() == 0) {
            drop(connection, "no end of the document within the time limit", callbacks);
        }
    }
    return true;
}

bool EventListener::read(Connection& connection, const Callbacks& callbacks) {
    std::array<char, readSize> buffer;
    const auto count = ::recv(connection.socket.fd(), buffer.data(), buffer.size(), 0);
    if (count == 0) return finish(connection, callbacks);
    if (count < 0) {
        const int error = errno;
        if (error != EAGAIN && error != EINTR) drop(connection, textOf(error), callbacks);
        return true;
    }
    if (connection.bytes.size() + static_cast<std::size_t>(count) > limits_.bytes) {
        drop(connection, fmt::format("the document is longer than {} bytes", limits_.bytes), callbacks);
        return true;
    }
    connection.bytes.append(buffer.data(), static_cast<std::size_t>(count));
    return true;
}

bool EventListener::finish(Connection& connection, const Callbacks& callbacks) {
    const auto verdict = callbacks.onDocument(connection.peer, connection.bytes);
    connection.over = true;
    if (verdict != Verdict::refused) resetOnClose(connection.socket.fd(), false);
    return verdict == Verdict::more;
}

void EventListener::drop(Connection& connection, const std::string& why, const Callbacks& callbacks) {
    connection.over = true;
    callbacks.onProblem(connection.peer.text() + ": " + why);
}

void EventListener::accept(const Callbacks& callbacks) {
    acceptAgain_.reset();
    while (connections_.size() < limits_.connections) {
        auto caller = acceptOne(listener_.fd());
        if (caller.socket) {
            connections_.push_back(
                {std::move(caller.socket), caller.peer, Deadline(limits_.time), {}, false});
            continue;
        }
        if (nobodyWaits(caller.error)) return;
        // Out of descriptors or memory: the callers wait, and poll() must not report them all the time.
        acceptAgain_.emplace(std::chrono::seconds(1));
        return callbacks.onProblem("cannot accept a connection, trying again in a second: " +
                                   textOf(caller.error));
    }
}

}  // namespace crnpd::crnpctl
