// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A worker over loopback; the test decides the requests and moves the clock.
#include "server/intake/worker.h"

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/support/manual_clock.h"

namespace crnpd::intake {
namespace {

constexpr std::string_view addClient =
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
    void hangUp() { fd_.reset(); }
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
    WorkerTest() { worker->listen({socket}); }

    static std::shared_ptr<const access::AccessList> access(std::string_view allowed) {
        return std::make_shared<const access::AccessList>(
            std::vector{access::AccessEntry::parse(allowed).value()}, std::vector<access::AccessEntry>{},
            std::vector<Network>{});
    }
    void submit(exchange::Decider::Decided decided) {
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
        pending.front()({std::move(reply), 1});
        pending.pop_front();
    }
    [[nodiscard]] Client connect() const { return Client(socket->address()); }

    std::mutex mutex;
    std::condition_variable arrived;
    std::deque<exchange::Decider::Decided> pending;

    support::ManualClock clock;
    xml::Runtime xml;
    Occupancy occupancy{{.connections = 10, .perAddress = 3}};
    exchange::MemoryBudget memory{1000000};
    Shared shared{clock, xml, occupancy, memory, [this](const IpAddress&, RegistrationMessage, auto decided) {
                      submit(std::move(decided));
                  }};
    std::shared_ptr<net::ListenSocket> socket =
        net::ListenSocket::open(SocketAddress::parse("127.0.0.1:0").value()).value();
    std::unique_ptr<Worker> worker = std::make_unique<Worker>(shared, WorkerSettings{}, access("ALL"));
};

TEST_F(WorkerTest, AnswersWhatWasDecidedAndCloses) {
    const auto client = connect();
    client.send(addClient);
    decide(Reply{StatusCode::ok, "done"});
    EXPECT_TRUE(client.hasReply("OK"));
    EXPECT_EQ(worker->statistics().replies[static_cast<std::size_t>(StatusCode::ok)], 1U);
}

TEST_F(WorkerTest, ClosesWithoutAReplyWhenNobodyKnowsTheOutcome) {
    const auto client = connect();
    client.send(addClient);
    decide(std::nullopt);
    EXPECT_EQ(client.reply(), "");
    EXPECT_EQ(worker->statistics().unanswered, 1U);
}

TEST_F(WorkerTest, AHostThatIsNotAllowedGetsFail) {
    worker->setAccess(access("192.0.2.1"));
    const auto client = connect();
    client.send(addClient);
    EXPECT_TRUE(client.hasReply("FAIL"));
}

TEST_F(WorkerTest, AMessageThatIsNotCompleteInTimeGetsRetry) {
    const auto client = connect();
    client.send(addClient.substr(0, 20));
    while (occupancy.connections() == 0)
        std::this_thread::yield();
    clock.advance(WorkerSettings{}.messageTime);
    EXPECT_TRUE(client.hasReply("RETRY"));
}

TEST_F(WorkerTest, AClientThatHangsUpIsDecidedAllTheSame) {
    auto client = connect();
    client.send(addClient);
    client.hangUp();
    decide(Reply{StatusCode::ok, "done"});
    worker->stopTaking();
    worker->join();
    EXPECT_EQ(worker->statistics().replies[static_cast<std::size_t>(StatusCode::ok)], 1U);
}

TEST_F(WorkerTest, TooManyConnectionsOfOneAddressGetLowResource) {
    std::deque<Client> open;
    for (int i = 0; i < 3; ++i)
        open.emplace_back(socket->address()).send(addClient.substr(0, 20));
    while (occupancy.connections() < 3)
        std::this_thread::yield();
    const auto oneMore = connect();
    oneMore.send(addClient);
    EXPECT_TRUE(oneMore.hasReply("LOW_RESOURCE"));
}

TEST_F(WorkerTest, StoppingAnswersWhatCameAndRefusesWhatIsIncomplete) {
    const auto whole = connect();
    const auto part = connect();
    whole.send(addClient);
    part.send(addClient.substr(0, 20));
    while (occupancy.connections() < 2)
        std::this_thread::yield();
    worker->stopTaking();
    EXPECT_TRUE(part.hasReply("RETRY"));
    decide(Reply{StatusCode::ok, "done"});
    EXPECT_TRUE(whole.hasReply("OK"));
    clock.advance(Worker::drainTime);
    worker->join();
}

TEST_F(WorkerTest, WhatWaitsInTheQueueOfTheSocketIsAnsweredWhenItStops) {
    occupancy.setLimits({.connections = 0, .perAddress = 3});
    const auto client = connect();
    client.send(addClient);
    worker->stopTaking();
    decide(Reply{StatusCode::ok, "done"});
    EXPECT_TRUE(client.hasReply("OK"));
    worker->join();
}

}  // namespace
}  // namespace crnpd::intake
