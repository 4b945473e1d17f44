// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A worker that runs out of memory at any point loses the connection it was with and nothing else.
#include <future>

#include "tests/support/failing_memory.h"
#include "tests/unit/server/intake/worker_fixture.h"

// Xerces leaves behind what it was at when memory ran out: its scanner does not clean up after an
// OutOfMemoryException. Some bytes for each such document.
// NOLINTBEGIN(bugprone-reserved-identifier, readability-identifier-naming)
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
    return "leak:libxerces-c";
}
// NOLINTEND(bugprone-reserved-identifier, readability-identifier-naming)

namespace crnpd::intake {
namespace {

class WorkerMemoryTest : public WorkerTest {
protected:
    WorkerMemoryTest() { decidesAtOnce = true; }

    // On the worker's thread, and waits for its end.
    void onWorker(const std::function<void()>& action) {
        std::promise<void> done;
        worker->ping([&] {
            action();
            done.set_value();
        });
        done.get_future().wait();
    }
    // Runs `story` with the first allocation failing, then with the second, until none fails any more.
    void failEach(const std::function<void()>& story) {
        bool all = false;
        for (unsigned n = 1; !all; ++n) {
            onWorker([n] { support::failAllocation(n); });
            story();
            onWorker([&] {
                all = support::isFailureAhead();
                support::failAllocation(0);
            });
            while (occupancy.connections() > 0)
                clock.advance(Worker::drainTime);
        }
        // A closed connection is freed with the next sweep.
        while (memory.used() > 0)
            std::this_thread::yield();
    }
    static void expectReplyOrEnd(const Client& client) {
        const auto reply = client.reply();
        EXPECT_TRUE(reply.empty() || reply.ends_with("</SC_REPLY>")) << reply;
    }
    void expectService() {
        const auto client = connect();
        client.send(addClient);
        EXPECT_TRUE(client.hasReply("OK"));
    }
};

TEST_F(WorkerMemoryTest, AMessageIsAnsweredOrItsConnectionClosed) {
    failEach([this] {
        const auto client = connect();
        client.send(addClient);
        expectReplyOrEnd(client);
    });
    expectService();
}

TEST_F(WorkerMemoryTest, AnUnfinishedMessageIsAnsweredOrItsConnectionClosed) {
    failEach([this] {
        const auto client = connect();
        client.send(addClient.substr(0, 50));
        client.shut();
        expectReplyOrEnd(client);
    });
    expectService();
}

TEST_F(WorkerMemoryTest, ARefusalIsSentOrItsConnectionClosed) {
    worker->setAccess(access("192.0.2.1"));
    failEach([this] {
        const auto client = connect();
        client.send(addClient);
        expectReplyOrEnd(client);
    });
    worker->setAccess(access("ALL"));
    expectService();
}

TEST_F(WorkerMemoryTest, ASocketThatCouldNotBeWatchedIsTriedAgain) {
    bool all = false;
    for (unsigned n = 1; !all; ++n) {
        socket = net::ListenSocket::open(SocketAddress::parse("127.0.0.1:0").value()).value();
        onWorker([n] { support::failAllocation(n); });
        worker->listen({socket});
        onWorker([&] {
            all = support::isFailureAhead();
            support::failAllocation(0);
        });
        expectService();
    }
}

TEST_F(WorkerMemoryTest, AStopComesToItsEnd) {
    constexpr unsigned moreThanItNeeds = 40;
    for (unsigned n = 1; n <= moreThanItNeeds; ++n) {
        auto client = connect();
        client.send(addClient.substr(0, 50));
        while (occupancy.connections() == 0)
            std::this_thread::yield();
        onWorker([n] { support::failAllocation(n); });
        worker->stopTaking();
        expectReplyOrEnd(client);
        client.hangUp();
        worker->join();
        EXPECT_EQ(occupancy.connections(), 0U);
        makeWorker();
    }
}

}  // namespace
}  // namespace crnpd::intake
