// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Listening sockets and the acceptance of connections.
//
// One listening socket is shared by all loops: whichever loop has time accepts, so a busy loop delays
// nobody, and closing means draining one queue. (A socket a loop, SO_REUSEPORT, would let the kernel
// hand a connection to a loop that is busy, and would let two servers share a port unseen.)
//
// Errors     An Acceptor's constructor throws std::runtime_error when the system has no memory to watch a
//            socket. OnConnection and MayAccept do not throw.
// Threads    A ListenSocket may be read from any thread; an Acceptor belongs to its loop.
#pragma once

#include <functional>
#include <memory>

#include "common/address.h"
#include "common/result.h"
#include "common/unique_fd.h"
#include "server/net/loop.h"

namespace crnpd::net {

// A TCP socket that listens.
class ListenSocket {
public:
    // `address` may have port 0 (any free port) and may be one that has not arrived on this machine yet
    // (IP_FREEBIND). An IPv6 address takes IPv6 only, so that "0.0.0.0:P" and "[::]:P" go together.
    // busy: somebody else listens there. The text names the address and the way out.
    static Result<std::shared_ptr<ListenSocket>> open(const SocketAddress& address);

    [[nodiscard]] int fd() const noexcept { return fd_.fd(); }
    // As configured, and as it came about (the port that 0 became).
    [[nodiscard]] const SocketAddress& configured() const noexcept { return configured_; }
    [[nodiscard]] const SocketAddress& address() const noexcept { return address_; }

    ListenSocket(UniqueFd fd, const SocketAddress& configured, const SocketAddress& address)
        : fd_(std::move(fd)), configured_(configured), address_(address) {}

private:
    UniqueFd fd_;
    SocketAddress configured_;
    SocketAddress address_;
};

// Accepts on one loop from a shared ListenSocket.
class Acceptor {
public:
    using OnConnection = std::function<void(UniqueFd, const SocketAddress& peer)>;
    // Asked before each accept; false pauses for a moment (retryTime) without losing anybody: whoever
    // connects meanwhile waits in the kernel's queue.
    using MayAccept = std::function<bool()>;

    static constexpr std::chrono::milliseconds retryTime{20};

    Acceptor(Loop& loop, std::shared_ptr<ListenSocket> socket, MayAccept mayAccept,
             OnConnection onConnection);

    // Accepts what is waiting, without pause: before the socket is closed, because closing resets
    // connections that nobody has accepted.
    void drain();

    [[nodiscard]] const std::shared_ptr<ListenSocket>& socket() const noexcept { return socket_; }

private:
    enum class Accepted { one, none, notNow };

    void acceptBatch();
    Accepted acceptOne();
    void pause();

    std::shared_ptr<ListenSocket> socket_;
    MayAccept mayAccept_;
    OnConnection onConnection_;
    FdWatch watch_;
    Timer retry_;
};

}  // namespace crnpd::net
