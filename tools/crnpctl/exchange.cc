// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/exchange.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/unique_fd.h"
#include "tools/crnpctl/await.h"
#include "tools/crnpctl/deadline.h"

namespace crnpd::crnpctl {
namespace {

constexpr std::size_t readSize = 16'384;

std::string textOf(int error) {
    return std::strerror(error);
}

Error fault(const std::string& what, int error) {
    return {ErrorCode::io, what + ": " + textOf(error)};
}

void setOption(int fd, int level, int name) {
    const int on = 1;
    // Without these options everything works all the same, so their failure is not looked at.
    ::setsockopt(fd, level, name, &on, sizeof(on));
}

Result<UniqueFd> openSocket(const SocketAddress& server, const ExchangeOptions& options) {
    UniqueFd socket(
        ::socket(server.ip.isV6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return fault("cannot open a socket", errno);
    // Each piece of a split document shall reach the server as a piece.
    setOption(socket.fd(), IPPROTO_TCP, TCP_NODELAY);
    if (!options.source) return socket;

    setOption(socket.fd(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    sockaddr_storage storage{};
    const socklen_t length = SocketAddress{*options.source, 0}.toSockaddr(storage);
    if (::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
        const int error = errno;
        return Error{ErrorCode::invalidArgument,
                     "cannot use the source address " + options.source->text() + ": " + textOf(error)};
    }
    return socket;
}

// 0, or the error number that ended the attempt.
int connectTo(int fd, const SocketAddress& server, const Deadline& deadline, const Meanwhile& meanwhile) {
    sockaddr_storage storage{};
    const socklen_t length = server.toSockaddr(storage);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&storage), length) == 0) return 0;
    if (errno != EINPROGRESS && errno != EINTR) return errno;
    const auto [ready, stopped] = await(fd, POLLOUT, deadline, meanwhile);
    if (stopped) return ECANCELED;
    if (ready == 0) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof(error);
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

IpAddress localAddress(int fd) {
    sockaddr_storage storage{};
    socklen_t length = sizeof(storage);
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
    return SocketAddress::from(storage).ip;
}

// Writes and reads side by side: a server that refuses early answers before it was told everything, and
// what it answered counts.
class Talk {
public:
    Talk(int fd, std::string_view document, const ExchangeOptions& options, const Meanwhile& meanwhile,
         Answer& answer)
        : fd_(fd),
          rest_(document),
          options_(options),
          meanwhile_(meanwhile),
          onlyStop_{meanwhile.stop, -1, {}},
          answer_(answer) {}

    void run(const Deadline& deadline) {
        if (rest_.empty()) endWriting();
        while (!ended_) {
            const auto [ready, stopped] = await(fd_, static_cast<short>(writing_ ? POLLIN | POLLOUT : POLLIN),
                                                deadline, answer_.bytes.empty() ? meanwhile_ : onlyStop_);
            if (stopped) return cancel();
            if (ready == 0) return end("no end of the answer within the time limit");
            if ((ready & POLLOUT) != 0 && writing_) write();
            if ((ready & ~POLLOUT) != 0) read();
        }
    }

private:
    void write() {
        const auto piece = rest_.substr(0, options_.split == 0 ? rest_.size() : options_.split);
        const auto written = ::send(fd_, piece.data(), piece.size(), MSG_NOSIGNAL);
        if (written < 0) {
            // The server hears no more; the reason may already wait to be read.
            if (errno != EAGAIN && errno != EINTR) writing_ = false;
            return;
        }
        rest_.remove_prefix(static_cast<std::size_t>(written));
        if (rest_.empty()) endWriting();
    }

    void endWriting() {
        writing_ = false;
        if (options_.halfClose) ::shutdown(fd_, SHUT_WR);
    }

    void read() {
        std::array<char, readSize> buffer;
        const auto count = ::recv(fd_, buffer.data(), buffer.size(), 0);
        if (count == 0) return end("");
        if (count < 0) {
            const int error = errno;
            if (error != EAGAIN && error != EINTR) end(textOf(error));
            return;
        }
        answer_.bytes.append(buffer.data(), static_cast<std::size_t>(count));
        if (answer_.bytes.size() > Answer::longest) end("the answer is longer than any reply");
    }

    void cancel() {
        answer_.cancelled = true;
        end("stopped");
    }

    void end(std::string problem) {
        answer_.problem = std::move(problem);
        ended_ = true;
    }

    int fd_;
    std::string_view rest_;
    const ExchangeOptions& options_;
    const Meanwhile& meanwhile_;
    Meanwhile onlyStop_;
    Answer& answer_;
    bool writing_ = true;
    bool ended_ = false;
};

}  // namespace

Result<Answer> exchange(const SocketAddress& server, std::string_view document,
                        const ExchangeOptions& options, const Meanwhile& meanwhile) {
    const auto socket = openSocket(server, options);
    if (!socket) return socket.error();

    const Deadline deadline(options.timeout);
    Answer answer;
    if (const int error = connectTo(socket->fd(), server, deadline, meanwhile); error != 0) {
        answer.problem = textOf(error);
        answer.cancelled = error == ECANCELED;
        return answer;
    }
    answer.connected = true;
    answer.source = localAddress(socket->fd());
    Talk(socket->fd(), document, options, meanwhile, answer).run(deadline);
    return answer;
}

}  // namespace crnpd::crnpctl
