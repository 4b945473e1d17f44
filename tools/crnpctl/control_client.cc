// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/control_client.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

namespace crnpd::crnpctl {
namespace {

constexpr std::size_t readSize = 65'536;

Error noAnswer(const std::string& path, const std::string& why) {
    return {ErrorCode::io, path + ": " + why};
}

std::string whyNotConnected(const std::string& path, int error) {
    switch (error) {
        case ENOENT:
        case ENOTDIR:
            return "no such socket; is crnpd running? Its setting control.socket names the path, "
                   "crnpctl --socket PATH another one";
        case EACCES:
        case EPERM:
            return "permission denied; the control socket is for root and the members of the group crnpd";
        case ECONNREFUSED: {
            struct stat about {};
            if (::stat(path.c_str(), &about) == 0 && !S_ISSOCK(about.st_mode)) return "is not a socket";
            return "nobody listens on this socket; the crnpd that made it has ended";
        }
        case EAGAIN:
            return "crnpd did not accept the connection within the time limit";
        default:
            return std::strerror(error);
    }
}

// A Unix socket connects or blocks, so the socket's own time limits do. Result: 0 or the error number.
int connectTo(int fd, const std::string& path, std::chrono::milliseconds timeout) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    timeval limit{};
    limit.tv_sec = seconds.count();
    limit.tv_usec = std::chrono::duration_cast<std::chrono::microseconds>(timeout - seconds).count();
    for (const int direction : {SO_SNDTIMEO, SO_RCVTIMEO}) {
        if (::setsockopt(fd, SOL_SOCKET, direction, &limit, sizeof(limit)) != 0) return errno;
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ? 0 : errno;
}

bool sendAll(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

}  // namespace

Result<ControlClient> ControlClient::ask(const ControlOptions& options, std::string_view request) {
    const auto& path = options.socket;
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path) ||
        path.find('\0') != std::string::npos) {
        return Error{ErrorCode::invalidArgument, "\"" + path + "\": a socket's path has 1 to 107 bytes"};
    }
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) return noAnswer(path, std::string("cannot open a socket: ") + std::strerror(errno));
    if (const int error = connectTo(socket.fd(), path, options.timeout); error != 0) {
        return noAnswer(path, whyNotConnected(path, error));
    }
    // A server that refuses early may close before it has read: what it said is read all the same.
    (void)sendAll(socket.fd(), std::string(request) + '\n');
    return ControlClient(std::move(socket), path);
}

bool ControlClient::send(std::string_view bytes) {
    return sendAll(socket_.fd(), bytes);
}

// More bytes for the buffer; false when there are no more.
bool ControlClient::read() {
    while (!atEnd_) {
        if (buffer_.size() > mostBuffered) {
            problem_ = "the answer is too long";
            atEnd_ = true;
            break;
        }
        std::array<char, readSize> piece;
        const auto count = ::recv(socket_.fd(), piece.data(), piece.size(), 0);
        const int error = errno;
        if (count > 0) {
            buffer_.append(piece.data(), static_cast<std::size_t>(count));
            return true;
        }
        if (count < 0 && error == EINTR) continue;
        atEnd_ = true;
        if (count == 0) break;
        problem_ = error == EAGAIN ? std::string("crnpd did not answer within the time limit")
                                   : std::string("the answer was cut off: ") + std::strerror(error);
    }
    return false;
}

void ControlClient::readAhead() {
    while (read()) {
    }
}

Result<std::optional<std::string>> ControlClient::nextLine() {
    for (;;) {
        if (const auto end = buffer_.find('\n', scanned_); end != std::string::npos) {
            auto line = buffer_.substr(used_, end - used_);
            used_ = scanned_ = end + 1;
            return std::optional(std::move(line));
        }
        buffer_.erase(0, std::exchange(used_, 0));
        scanned_ = buffer_.size();
        if (read()) continue;
        if (!problem_.empty()) return noAnswer(path_, problem_);
        if (buffer_.empty()) return std::optional<std::string>();
        return noAnswer(path_, "the answer was cut off in the middle of a line");
    }
}

}  // namespace crnpd::crnpctl
