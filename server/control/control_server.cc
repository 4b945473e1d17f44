// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/control_server.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/messages.h"
#include "common/xml/event_reader.h"
#include "common/xml/reply.h"
#include "server/control/dispatch.h"
#include "server/control/line_reader.h"

namespace crnpd::control {
namespace {

constexpr int backlog = 64;

using Steady = std::chrono::steady_clock;

sockaddr_un nameOf(const std::filesystem::path& path) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.string().copy(static_cast<char*>(name.sun_path), sizeof name.sun_path - 1);
    return name;
}

UniqueFd unixSocket() {
    return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

Error systemError(int error) {
    return {ErrorCode::io, std::strerror(error)};
}

// Makes room for the socket file: what a killed server has left may go, anything else is somebody's.
Result<void> clear(const std::filesystem::path& socket, const sockaddr_un& name) {
    const auto probe = unixSocket();
    if (!probe) return systemError(errno);
    // EAGAIN: somebody listens, and so many wait there that not one more fits.
    if (::connect(probe.fd(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0 || errno == EAGAIN)
        return Error{ErrorCode::busy, "another running server has this socket"};
    struct stat found {};
    if (::lstat(socket.c_str(), &found) != 0) return {};
    if (!S_ISSOCK(found.st_mode))
        return Error{ErrorCode::busy, "the path is not a socket; it is left as it is"};
    ::unlink(socket.c_str());
    return {};
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

void reset(const UniqueFd& wake) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto length = ::read(wake.fd(), &count, sizeof count);
}

// Ends with a FIN: a socket that is closed with bytes unread would take the reply from a peer that is still
// sending.
void sayFarewell(int fd) {
    ::shutdown(fd, SHUT_WR);
    const auto end = Steady::now() + ControlServer::farewell;
    std::array<char, 65536> ignored;
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Steady::now());
        pollfd ready{fd, POLLIN, 0};
        if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) != 1) return;
        if (::recv(fd, ignored.data(), ignored.size(), 0) <= 0) return;
    }
}

}  // namespace

ControlServer::~ControlServer() {
    stop();
}

Result<void> ControlServer::start(const std::filesystem::path& socket, mode_t mode) {
    const auto name = nameOf(socket);
    if (auto cleared = clear(socket, name); !cleared) return cleared;

    UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake) return systemError(errno);
    auto fd = unixSocket();
    if (!fd) return systemError(errno);
    // Nobody may connect before the mode is what the settings say.
    ::fchmod(fd.fd(), 0);
    if (::bind(fd.fd(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
        return systemError(errno);
    path_ = socket;
    listener_ = std::move(fd);
    wake_ = std::move(wake);
    stopping_ = false;
    if (auto listening = listen(mode); !listening) {
        ::unlink(socket.c_str());
        listener_.reset();
        return listening;
    }
    return {};
}

Result<void> ControlServer::listen(mode_t mode) {
    if (::chmod(path_.c_str(), mode) != 0 || ::listen(listener_.fd(), backlog) != 0)
        return systemError(errno);
    try {
        acceptor_ = std::thread([this] { accept(); });
    } catch (const std::system_error& fault) {
        return Error{ErrorCode::io, fmt::format("no thread for it: {}", fault.what())};
    }
    return {};
}

void ControlServer::stop() {
    if (!listener_) return;
    stopping_ = true;
    wakeAcceptor();
    acceptor_.join();
    ::unlink(path_.c_str());
    listener_.reset();
    for (auto& conversation : conversations_)
        ::shutdown(conversation.fd.fd(), SHUT_RDWR);
    reap(true);
}

void ControlServer::wakeAcceptor() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.fd(), &one, sizeof one);
}

void ControlServer::accept() {
    auto resume = Steady::now();
    while (!stopping_) {
        reap(false);
        const auto pause = std::chrono::ceil<std::chrono::milliseconds>(resume - Steady::now()).count();
        const bool takes = conversations_.size() < mostConversations && pause <= 0;
        std::array<pollfd, 2> ready{
            {{wake_.fd(), POLLIN, 0}, {listener_.fd(), static_cast<short>(takes ? POLLIN : 0), 0}}};
        ::poll(ready.data(), ready.size(), pause > 0 ? static_cast<int>(pause) : -1);
        if (ready[0].revents != 0) reset(wake_);
        if (ready[1].revents == 0) continue;
        UniqueFd fd(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
        const int error = errno;
        if (fd) {
            begin(std::move(fd));
        } else if (error != EAGAIN && error != EINTR && error != ECONNABORTED) {
            // Whoever waits still makes the socket readable: without a pause this would turn at full speed.
            log(msg::controlPaused, path_.string(), std::strerror(error));
            resume = Steady::now() + pauseTime;
        }
    }
}

void ControlServer::begin(UniqueFd fd) {
    limitWaiting(fd.fd());
    try {
        auto& conversation = conversations_.emplace_back();
        conversation.fd = std::move(fd);
        try {
            conversation.thread = std::thread([this, &conversation] { converse(conversation); });
        } catch (...) {
            conversations_.pop_back();
            throw;
        }
    } catch (const std::exception& fault) {
        log(msg::controlClosed, fault.what());
    }
}

void ControlServer::converse(Conversation& conversation) {
    const int fd = conversation.fd.fd();
    try {
        answer(fd);
    } catch (const std::exception& fault) {
        log(msg::controlClosed, fault.what());
    }
    ::shutdown(fd, SHUT_RDWR);
    conversation.over = true;
    wakeAcceptor();  // its place is free
}

void ControlServer::answer(int fd) {
    LineReader lines(fd);
    const auto first = lines.first(longestRequest);
    if (!first) return;
    if (*first == '<') return answerDocument(fd, lines);
    if (const auto request = lines.next(longestRequest); request && !request->empty()) {
        dispatch(*request, operations_,
                 {[fd](const std::string& line) { return writeAll(fd, line + '\n'); },
                  [&lines] { return lines.next(longestLine); }});
    }
}

void ControlServer::answerDocument(int fd, LineReader& lines) {
    xml::EventReader reader(runtime_);
    const auto reply = publishDocument([&lines] { return lines.piece(); }, reader, operations_);
    if (reply) writeAll(fd, xml::writeReply(*reply));
    sayFarewell(fd);
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
