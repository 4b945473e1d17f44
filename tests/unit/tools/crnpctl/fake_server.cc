// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/unit/tools/crnpctl/fake_server.h"

#include <array>
#include <utility>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace crnpd::crnpctl {
namespace {

UniqueFd boundToLoopback() {
    UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return socket;
}

UniqueFd boundTo(const std::string& path) {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0) << path;
    return socket;
}

SocketAddress addressOf(int fd) {
    sockaddr_storage storage{};
    socklen_t length = sizeof(storage);
    EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length), 0);
    return SocketAddress::from(storage);
}

// False at the end of file or when the connection is broken.
bool readSome(int connection, std::string& bytes) {
    std::array<char, 65'536> piece;
    const auto count = ::recv(connection, piece.data(), piece.size(), 0);
    if (count <= 0) return false;
    bytes.append(piece.data(), static_cast<std::size_t>(count));
    return true;
}

}  // namespace

std::string readUntil(int connection, const std::string& end) {
    std::string bytes;
    while (!bytes.ends_with(end) && readSome(connection, bytes)) {
    }
    return bytes;
}

std::string readToEndOfFile(int connection) {
    std::string bytes;
    while (readSome(connection, bytes)) {
    }
    return bytes;
}

void write(int connection, const std::string& bytes) {
    (void)::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

Turn answering(std::string answer, std::string endOfRequest) {
    return [answer = std::move(answer), end = std::move(endOfRequest)](int connection) {
        auto request = readUntil(connection, end);
        write(connection, answer);
        return request;
    };
}

Turn silent() {
    return [](int connection) { return readToEndOfFile(connection); };
}

Turn resetting(std::string before) {
    return [before = std::move(before)](int connection) {
        auto request = readUntil(connection, endOfDocument);
        write(connection, before);
        const linger none{1, 0};
        EXPECT_EQ(::setsockopt(connection, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
        return request;
    };
}

FakeServer::FakeServer(std::vector<Turn> turns) : listener_(boundToLoopback()) {
    EXPECT_EQ(::listen(listener_.fd(), 16), 0);
    thread_ = std::thread([this, turns = std::move(turns)] { serve(turns); });
}

FakeServer::FakeServer(const std::string& socketPath, std::vector<Turn> turns)
    : listener_(boundTo(socketPath)) {
    EXPECT_EQ(::listen(listener_.fd(), 16), 0);
    thread_ = std::thread([this, turns = std::move(turns)] { serve(turns); });
}

FakeServer::~FakeServer() {
    stop();
}

SocketAddress FakeServer::address() const {
    return addressOf(listener_.fd());
}

const std::vector<std::string>& FakeServer::requests() {
    stop();
    return requests_;
}

void FakeServer::serve(const std::vector<Turn>& turns) {
    for (const auto& turn : turns) {
        const UniqueFd connection(::accept(listener_.fd(), nullptr, nullptr));
        if (!connection) return;
        requests_.push_back(turn(connection.fd()));
    }
    ::shutdown(listener_.fd(), SHUT_RDWR);
}

void FakeServer::stop() {
    if (!thread_.joinable()) return;
    // accept() returns with an error.
    ::shutdown(listener_.fd(), SHUT_RDWR);
    thread_.join();
}

DeadAddress::DeadAddress() : socket_(boundToLoopback()) {}

SocketAddress DeadAddress::address() const {
    return addressOf(socket_.fd());
}

}  // namespace crnpd::crnpctl
