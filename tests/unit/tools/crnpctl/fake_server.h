// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A server that does what the test tells it: one turn for each connection, in order; whoever connects after
// the last turn is refused. It listens on a free port of 127.0.0.1 or on a Unix socket.
//
// Threads    The turns run in a thread of the server's own.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "common/address.h"
#include "common/unique_fd.h"

namespace crnpd::crnpctl {

// Serves one connection, which is closed behind it, and returns what it read.
using Turn = std::function<std::string(int connection)>;

// The end of what a client sends.
inline constexpr const char* endOfDocument = "</SC_CALLBACK_REG>";
inline constexpr const char* endOfLine = "\n";

std::string readUntil(int connection, const std::string& end);
std::string readToEndOfFile(int connection);
void write(int connection, const std::string& bytes);

// Reads a document or a line and answers it.
Turn answering(std::string answer, std::string endOfRequest = endOfDocument);
// Reads a document and says nothing until the client goes.
Turn silent();
// Reads a document, perhaps writes something, and resets the connection.
Turn resetting(std::string before = {});

class FakeServer {
public:
    explicit FakeServer(std::vector<Turn> turns);
    FakeServer(const std::string& socketPath, std::vector<Turn> turns);
    ~FakeServer();
    FakeServer(const FakeServer&) = delete;
    FakeServer& operator=(const FakeServer&) = delete;

    [[nodiscard]] SocketAddress address() const;
    // What the connections brought. No more are accepted.
    const std::vector<std::string>& requests();

private:
    void serve(const std::vector<Turn>& turns);
    void stop();

    UniqueFd listener_;
    std::vector<std::string> requests_;
    std::thread thread_;
};

// An address where nobody listens, for as long as the object lives.
class DeadAddress {
public:
    DeadAddress();
    [[nodiscard]] SocketAddress address() const;

private:
    UniqueFd socket_;  // bound and not listening: the port is nobody else's, and connections are refused
};

}  // namespace crnpd::crnpctl
