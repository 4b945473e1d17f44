// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/net/connection.h"

#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include <sys/socket.h>

#include "common/crash_point.h"

namespace crnpd::net {

Connection::Connection(Loop& loop, UniqueFd fd, Handler& handler)
    : loop_(loop), fd_(std::move(fd)), handler_(handler) {}

Connection::Input Connection::take(std::span<char> buffer, std::string_view& bytes) noexcept {
    ssize_t length = 0;
    do {
        length = ::recv(fd_.fd(), buffer.data(), buffer.size(), 0);
    } while (length < 0 && errno == EINTR);
    if (length > 0) {
        bytes = {buffer.data(), static_cast<std::size_t>(length)};
        return Input::bytes;
    }
    return length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? Input::nothing : Input::ended;
}

void Connection::read(std::span<char> buffer) {
    std::string_view bytes;
    switch (take(buffer, bytes)) {
        case Input::bytes:
            // One read a turn: a peer that sends fast must not keep the loop from the others. More that
            // has arrived already is read at the next turn, before anything is decided about it.
            if (!handler_.onBytes(bytes)) {
                if (watch_ && !draining_) watch_->pause();
                return;
            }
            break;
        case Input::nothing:
            break;
        case Input::ended:
            if (watch_) watch_->pause();
            handler_.onEnd();
            return;
    }
    if (!watch_) watch([this, buffer] { read(buffer); });
}

Connection::Closing Connection::reply(std::string_view text, bool messageIsWhole, std::span<char> buffer) {
    crashPointHalf("reply_half", fd_.fd(), text);
    // MSG_MORE holds the reply back for the FIN: both leave in one segment.
    [[maybe_unused]] const auto sent = ::send(fd_.fd(), text.data(), text.size(), MSG_NOSIGNAL | MSG_MORE);
    crashPoint("reply_sent");
    ::shutdown(fd_.fd(), SHUT_WR);

    std::string_view rest;
    const auto input = take(buffer, rest);
    const bool mayStillSend = input == Input::bytes || (input == Input::nothing && !messageIsWhole);
    if (!mayStillSend) {
        close();
        return Closing::done;
    }
    draining_ = true;
    drained_ = rest.size();
    watch([this] { drain(); });
    return Closing::draining;
}

void Connection::drain() {
    std::array<char, 16384> buffer{};
    std::string_view bytes;
    const auto input = take(buffer, bytes);
    drained_ += bytes.size();
    if (input == Input::nothing || (input == Input::bytes && drained_ < drainLimit)) return;
    close();
    handler_.onClosed();
}

void Connection::watch(Callback onReadable) {
    watch_.emplace(loop_, fd_.fd(), std::move(onReadable));
    if (!watch_->resume()) throw std::runtime_error("cannot watch a connection: out of memory");
}

IpAddress Connection::local() const noexcept {
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    if (::getsockname(fd_.fd(), reinterpret_cast<sockaddr*>(&own), &length) != 0) return {};
    return SocketAddress::from(own).ip;
}

bool Connection::isFromThisMachine(const SocketAddress& peer) const noexcept {
    return local() == peer.ip;
}

void Connection::close() noexcept {
    watch_.reset();
    fd_.reset();
}

}  // namespace crnpd::net
