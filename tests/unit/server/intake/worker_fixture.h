// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A worker over loopback; the test decides the requests and moves the clock.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <optional>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "server/intake/worker.h"
#include "tests/support/manual_clock.h"

namespace crnpd::intake {

inline constexpr std::string_view addClient =
    R"(<?xml version="1.0"?><SC_CALLBACK_REG PORT="2001" REG_TYPE="ADD_CLIENT"><SC_EVENT_REG CLASS="A"/></SC_CALLBACK_REG>)";

class Client {
public:
    explicit Client(const SocketAddress& server) {
        sockaddr_storage name{};
        const auto length = server.toSockaddr(name);
        EXPECT_EQ(::connect(fd_.fd(), reinterpret_cast<sockaddr*>(&name), length), 0);
    }
    void send(std::string_view text) const {
        EXPECT_EQ(::send(fd_.fd(), text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    // The server may have closed already.
    void shut() const { ::shutdown(fd_.fd(), SHUT_WR); }
    void hangUp() { fd_.reset(); }
    [[nodiscard]] bool hasSomethingToRead() const {
        char byte = 0;
        return ::recv(fd_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
    }
    // Up to the end of file.
    [[nodiscard]] std::string reply() const {
        std::string all;
        std::array<char, 4096> bytes{};
        for (ssize_t length = 0; (length = ::recv(fd_.fd(), bytes.data(), bytes.size(), 0)) > 0;) {
            all.append(bytes.data(), static_cast<std::size_t>(length));
        }
        return all;
    }
    [[nodiscard]] bool hasReply(std::string_view code) const {
        const auto text = reply();
        return text.find("STATUS_CODE=\"" + std::string(code) + '"') != std::string::npos;
    }

private:
    UniqueFd fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

class WorkerTest : public testing::Test {
protected:
    WorkerTest() { makeWorker(); }

    void makeWorker() {
        worker = std::make_unique<Worker>(shared, WorkerSettings{}, access("ALL"));
        worker->listen({socket});
    }
    static std::shared_ptr<const access::AccessList> access(std::string_view allowed) {
        return std::make_shared<const access::AccessList>(
            std::vector{access::AccessEntry::parse(allowed).value()}, std::vector<access::AccessEntry>{},
            std::vector<Network>{});
    }
    void submit(exchange::Decider::Decided decided) {
        if (++requests == failing) throw std::bad_alloc();
        if (decidesAtOnce) return decided({Reply{StatusCode::ok, "done"}, 1, ReplyHold(gate)});
        {
            const std::scoped_lock lock(mutex);
            pending.push_back(std::move(decided));
        }
        arrived.notify_all();
    }
    // Waits for a request to decide it.
    void decide(std::optional<Reply> reply) {
        std::unique_lock lock(mutex);
        arrived.wait(lock, [this] { return !pending.empty(); });
        pending.front()({std::move(reply), 1, ReplyHold(gate)});
        pending.pop_front();
    }
    [[nodiscard]] Client connect() const { return Client(socket->address()); }

    bool decidesAtOnce = false;
    int requests = 0;
    int failing = 0;  // the request that cannot be submitted
    std::mutex mutex;
    std::condition_variable arrived;
    std::deque<exchange::Decider::Decided> pending;
    std::shared_ptr<ReplyGate> gate;  // held by every decision; null: none is
    IpAddress local;                  // to which the last message came

    support::ManualClock clock;
    xml::Runtime xml;
    Occupancy occupancy{{.connections = 10, .perAddress = 3}};
    exchange::MemoryBudget memory{1000000};
    Shared shared{clock, xml, occupancy, memory,
                  [this](const IpAddress&, const IpAddress& to, const RegistrationMessage&, auto decided) {
                      local = to;
                      submit(std::move(decided));
                  }};
    std::shared_ptr<net::ListenSocket> socket =
        net::ListenSocket::open(SocketAddress::parse("127.0.0.1:0").value()).value();
    std::unique_ptr<Worker> worker;
};

}  // namespace crnpd::intake
