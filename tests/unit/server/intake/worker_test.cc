// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/intake/worker.h"

#include <deque>
#include <future>
#include <thread>

#include "tests/unit/server/intake/worker_fixture.h"

namespace crnpd::intake {
namespace {

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

TEST_F(WorkerTest, OfTheMessagesOfOneTurnOnlyTheOneThatCannotBeSubmittedIsClosed) {
    failing = 2;
    decidesAtOnce = true;
    std::promise<void> allAreThere;
    worker->ping([there = allAreThere.get_future().share()] { there.wait(); });
    const std::array clients{connect(), connect(), connect()};
    for (const auto& client : clients)
        client.send(addClient);
    allAreThere.set_value();
    EXPECT_TRUE(clients[0].hasReply("OK"));
    EXPECT_EQ(clients[1].reply(), "");
    EXPECT_TRUE(clients[2].hasReply("OK"));
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

TEST_F(WorkerTest, TheGateOpensOnceTheReplyWasWritten) {
    const auto client = connect();
    std::promise<bool> hadReply;
    gate = std::make_shared<ReplyGate>();
    ASSERT_TRUE(gate->whenOpened([&] { hadReply.set_value(client.hasSomethingToRead()); }));
    client.send(addClient);
    decide(Reply{StatusCode::ok, "done"});
    EXPECT_TRUE(hadReply.get_future().get());
    EXPECT_TRUE(client.hasReply("OK"));
}

TEST_F(WorkerTest, TheGateOpensWhenTheClientHasHungUp) {
    std::promise<void> opened;
    gate = std::make_shared<ReplyGate>();
    ASSERT_TRUE(gate->whenOpened([&] { opened.set_value(); }));
    auto client = connect();
    client.send(addClient);
    client.hangUp();
    decide(Reply{StatusCode::ok, "done"});
    opened.get_future().wait();
    EXPECT_TRUE(gate->isOpen());
}

TEST_F(WorkerTest, TellsToWhichAddressAMessageCame) {
    const auto client = connect();
    client.send(addClient);
    decide(Reply{StatusCode::ok, "done"});
    EXPECT_TRUE(client.hasReply("OK"));
    EXPECT_EQ(local.text(), "127.0.0.1");
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
