// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The socket of one registration connection: bytes in, one reply out, and a close that lets the peer read
// the reply (section 2 of docs/protocol.md, "Closing").
//
// The usual message is there when the connection is accepted and the reply fits into the socket's buffer:
// such a connection is never registered with the loop at all.
//
// Threads    Its loop's.
// Ownership  Owns the socket. The owner must not destroy a Connection inside onBytes(), onEnd() or reply(),
//            but in onClosed() it may.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "common/address.h"
#include "common/unique_fd.h"
#include "server/net/loop.h"

namespace crnpd::net {

class Connection {
public:
    class Handler {
    public:
        virtual ~Handler() = default;
        // More of the message; valid during the call only. False: enough, read no further.
        virtual bool onBytes(std::string_view bytes) = 0;
        // The peer has shut its side or is gone. Comes at most once, and not after "enough".
        virtual void onEnd() = 0;
        // A drained connection has ended. The last call.
        virtual void onClosed() = 0;
    };

    // What is read and thrown away after an early reply, before the rest is met with a reset.
    static constexpr std::size_t drainLimit = std::size_t{16} * 1024 * 1024;

    Connection(Loop& loop, UniqueFd fd, Handler& handler);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Reads what is there, into `buffer` (the loop's; used during the call only), and waits for more
    // unless the handler has enough.
    void read(std::span<char> buffer);

    enum class Closing {
        done,      // sent and closed
        draining,  // sent; what the peer still sends is being thrown away until onClosed() or close()
    };

    // Sends the reply and shuts our side. Linux answers unread input with a reset that may eat the reply, so
    // where the peer is still sending the connection drains first. A reply that cannot be written is
    // dropped: it undoes nothing.
    Closing reply(std::string_view text, bool messageIsWhole, std::span<char> buffer);

    // Our end's address; 0.0.0.0 where the connection is gone.
    [[nodiscard]] IpAddress local() const noexcept;

    // Whether the peer's address is this machine's own: the two ends of the connection have the same one.
    [[nodiscard]] bool isFromThisMachine(const SocketAddress& peer) const noexcept;

    // Closes at once, without a reply.
    void close() noexcept;

private:
    enum class Input { bytes, nothing, ended };

    Input take(std::span<char> buffer, std::string_view& bytes) noexcept;
    void drain();
    void watch(Callback onReadable);

    Loop& loop_;
    UniqueFd fd_;
    Handler& handler_;
    std::optional<FdWatch> watch_;
    bool draining_ = false;
    std::size_t drained_ = 0;
};

}  // namespace crnpd::net
