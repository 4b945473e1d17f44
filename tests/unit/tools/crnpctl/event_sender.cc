// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/unit/tools/crnpctl/event_sender.h"

#include <array>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace crnpd::crnpctl {

EventSender::EventSender(const SocketAddress& client)
    : socket_(::socket(client.ip.isV6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_storage storage{};
    const socklen_t length = client.toSockaddr(storage);
    EXPECT_EQ(::connect(socket_.fd(), reinterpret_cast<const sockaddr*>(&storage), length), 0)
        << client.text();
}

void EventSender::write(const std::string& bytes) {
    const auto written = ::send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    broken_ = broken_ || written != static_cast<ssize_t>(bytes.size());
}

void EventSender::endOfFile() {
    broken_ = ::shutdown(socket_.fd(), SHUT_WR) != 0 || broken_;
}

void EventSender::resetNow() {
    const linger none{1, 0};
    EXPECT_EQ(::setsockopt(socket_.fd(), SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
    socket_.reset();
}

void EventSender::deliver(const std::string& document) {
    write(document);
    endOfFile();
}

EventSender::End EventSender::end() {
    if (broken_) return End::reset;
    char byte = 0;
    return ::recv(socket_.fd(), &byte, 1, 0) == 0 ? End::acknowledged : End::reset;
}

StopPipe::StopPipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
    reader_.reset(ends[0]);
    writer_.reset(ends[1]);
}

void StopPipe::tell() {
    const char byte = 0;
    EXPECT_EQ(::write(writer_.fd(), &byte, 1), 1);
}

}  // namespace crnpd::crnpctl
