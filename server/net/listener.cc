// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/net/listener.h"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "common/messages.h"

namespace crnpd::net {
namespace {

// As much as the kernel grants (net.core.somaxconn).
constexpr int backlog = 4096;

// Wakes us when the message is there and not when the handshake is done; after this time the kernel
// hands out a silent connection all the same.
constexpr int deferSeconds = 2;

// Connections accepted before the loop looks after others again.
constexpr int acceptBatchSize = 64;

bool setOption(int fd, int level, int name, int value) {
    return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

Error cannotListen(const SocketAddress& address, int error) {
    const auto where = address.text();
    if (error == EADDRINUSE) {
        return {ErrorCode::busy,
                fmt::format("cannot listen on {}: another program listens there; stop it or change "
                            "\"listen\" (find it with: ss -ltnp 'sport = :{}')",
                            where, address.port)};
    }
    if (error == EACCES) {
        return {
            ErrorCode::io,
            fmt::format("cannot listen on {}: ports below 1024 need a privilege this process lacks", where)};
    }
    return {ErrorCode::io, fmt::format("cannot listen on {}: {}", where, std::strerror(error))};
}

}  // namespace

Result<std::shared_ptr<ListenSocket>> ListenSocket::open(const SocketAddress& address) {
    const bool v6 = address.ip.isV6();
    UniqueFd fd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return cannotListen(address, errno);

    // Without REUSEADDR the connections of the last minute would keep a restarted server from its port.
    if (!setOption(fd.fd(), SOL_SOCKET, SO_REUSEADDR, 1)) return cannotListen(address, errno);
    if (v6 && !setOption(fd.fd(), IPPROTO_IPV6, IPV6_V6ONLY, 1)) return cannotListen(address, errno);
    // IP_FREEBIND serves IPv6 sockets as well.
    if (!setOption(fd.fd(), IPPROTO_IP, IP_FREEBIND, 1)) return cannotListen(address, errno);
    // Comfort, not correctness: where the kernel has it not, connections come one wake-up earlier.
    setOption(fd.fd(), IPPROTO_TCP, TCP_DEFER_ACCEPT, deferSeconds);

    sockaddr_storage name{};
    socklen_t length = address.toSockaddr(name);
    if (::bind(fd.fd(), reinterpret_cast<const sockaddr*>(&name), length) != 0)
        return cannotListen(address, errno);
    if (::listen(fd.fd(), backlog) != 0) return cannotListen(address, errno);
    // From here on connections of ours may come from this port (bind_source_port); not before, or a second
    // server could listen on it unseen. Comfort, too.
    setOption(fd.fd(), SOL_SOCKET, SO_REUSEPORT, 1);
    length = sizeof name;
    if (::getsockname(fd.fd(), reinterpret_cast<sockaddr*>(&name), &length) != 0)
        return cannotListen(address, errno);
    return std::make_shared<ListenSocket>(std::move(fd), address, SocketAddress::from(name));
}

Acceptor::Acceptor(Loop& loop, std::shared_ptr<ListenSocket> socket, MayAccept mayAccept,
                   OnConnection onConnection)
    : socket_(std::move(socket)),
      mayAccept_(std::move(mayAccept)),
      onConnection_(std::move(onConnection)),
      watch_(loop, socket_->fd(), [this] { acceptBatch(); }),
      retry_(loop, [this] {
          if (!watch_.resume()) retry_.startOnce(retryTime);
      }) {
    if (!watch_.resume()) throw std::runtime_error("cannot watch a listening socket: out of memory");
}

void Acceptor::acceptBatch() {
    for (int i = 0; i < acceptBatchSize; ++i) {
        if (!mayAccept_()) return pause();
        switch (acceptOne()) {
            case Accepted::one:
                break;
            case Accepted::none:
                return;
            case Accepted::notNow:
                return pause();
        }
    }
}

// No more than was waiting when it began: peers that come back as fast as they are answered must not keep the
// loop here.
void Acceptor::drain() {
    for (int i = 0; i < backlog && acceptOne() == Accepted::one; ++i) {
    }
    watch_.pause();
    retry_.cancel();
}

Acceptor::Accepted Acceptor::acceptOne() {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    UniqueFd fd(
        ::accept4(socket_->fd(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    const int error = errno;
    if (fd) {
        onConnection_(std::move(fd), SocketAddress::from(peer));
        return Accepted::one;
    }
    switch (error) {
        case EAGAIN:
            return Accepted::none;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            log(msg::acceptPaused, socket_->address().text(), std::strerror(error));
            return Accepted::notNow;
        default:
            // The connection failed before we had it (accept(2) says to go on as after EAGAIN).
            return Accepted::one;
    }
}

void Acceptor::pause() {
    watch_.pause();
    retry_.startOnce(retryTime);
}

}  // namespace crnpd::net
