// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/control_server.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/messages.h"
#include "server/control/dispatch.h"
#include "server/control/line_reader.h"

namespace crnpd::control {
namespace {

constexpr int backlog = 64;
constexpr int reapTime = 200;  // ms

sockaddr_un nameOf(const std::filesystem::path& path) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.string().copy(static_cast<char*>(name.sun_path), sizeof name.sun_path - 1);
    return name;
}

UniqueFd unixSocket() {
    return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

bool somebodyListens(const sockaddr_un& name) {
    const auto probe = unixSocket();
    return ::connect(probe.fd(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
}

void limitWaiting(int fd) {
    const timeval time{ControlServer::patience.count(), 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

bool writeAll(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto length = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (length <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(length));
    }
    return true;
}

}  // namespace

ControlServer::~ControlServer() {
    stop();
}

Result<void> ControlServer::start(const std::filesystem::path& socket, mode_t mode) {
    const auto name = nameOf(socket);
    if (somebodyListens(name)) return Error{ErrorCode::busy, "another running server has this socket"};
    struct stat found {};
    if (::lstat(socket.c_str(), &found) == 0) {
        // A socket that a killed server left may go; anything else is somebody's file.
        if (!S_ISSOCK(found.st_mode))
            return Error{ErrorCode::busy, "the path is not a socket; it is left as it is"};
        ::unlink(socket.c_str());
    }

    auto fd = unixSocket();
    if (!fd) return Error{ErrorCode::io, std::strerror(errno)};
    // Nobody may connect before the mode is what the settings say.
    ::fchmod(fd.fd(), 0);
    if (::bind(fd.fd(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 ||
        ::chmod(socket.c_str(), mode) != 0 || ::listen(fd.fd(), backlog) != 0) {
        return Error{ErrorCode::io, std::strerror(errno)};
    }
    path_ = socket;
    listener_ = std::move(fd);
    wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
    acceptor_ = std::thread([this] { accept(); });
    return {};
}

void ControlServer::stop() {
    if (!listener_) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.fd(), &one, sizeof one);
    acceptor_.join();
    ::unlink(path_.c_str());
    listener_.reset();
    for (auto& conversation : conversations_)
        ::shutdown(conversation.fd.fd(), SHUT_RDWR);
    reap(true);
}

void ControlServer::accept() {
    while (true) {
        reap(false);
        const bool room = conversations_.size() < mostConversations;
        std::array<pollfd, 2> ready{
            {{wake_.fd(), POLLIN, 0}, {listener_.fd(), static_cast<short>(room ? POLLIN : 0), 0}}};
        ::poll(ready.data(), ready.size(), conversations_.empty() ? -1 : reapTime);
        if (ready[0].revents != 0) return;
        if (ready[1].revents == 0) continue;
        UniqueFd fd(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!fd) continue;
        limitWaiting(fd.fd());
        auto& conversation = conversations_.emplace_back();
        conversation.fd = std::move(fd);
        conversation.thread = std::thread([this, &conversation] { converse(conversation); });
    }
}

void ControlServer::converse(Conversation& conversation) {
    const int fd = conversation.fd.fd();
    try {
        LineReader lines(fd);
        if (const auto request = lines.next(longestRequest); request && !request->empty()) {
            dispatch(*request, operations_,
                     {[fd](const std::string& line) { return writeAll(fd, line + '\n'); },
                      [&lines] { return lines.next(longestLine); }});
        }
    } catch (const std::exception& fault) {
        log(msg::internalFault, fault.what());
    }
    ::shutdown(fd, SHUT_RDWR);
    conversation.over = true;
}

void ControlServer::reap(bool all) {
    for (auto next = conversations_.begin(); next != conversations_.end();) {
        if (all || next->over) {
            next->thread.join();
            next = conversations_.erase(next);
        } else {
            ++next;
        }
    }
}

}  // namespace crnpd::control
