// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/net/loop.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/log_lines.h"

namespace crnpd::net {
namespace {

using namespace std::chrono_literals;

TEST(LoopTest, WorkFromAnotherThreadRunsOnTheLoopsThreadInOrder) {
    Loop loop;
    std::vector<int> order;
    std::thread::id where;
    std::thread other([&] {
        for (int i = 0; i < 100; ++i)
            loop.post([&order, i] { order.push_back(i); });
        loop.post([&] { where = std::this_thread::get_id(); });
        loop.stop();
    });
    loop.run();
    other.join();
    EXPECT_EQ(order.size(), 100U);
    EXPECT_TRUE(std::ranges::is_sorted(order));
    EXPECT_EQ(where, std::this_thread::get_id());
}

TEST(LoopTest, WorkThatWasPostedBeforeTheRunIsRun) {
    Loop loop;
    bool ran = false;
    loop.post([&] { ran = true; });
    loop.stop();
    loop.run();
    EXPECT_TRUE(ran);
}

TEST(LoopTest, TheEndOfATurnComesOnceAndAfterAllThatWasReady) {
    Loop loop;
    std::vector<std::string> order;
    EndOfTurn end(loop, [&] { order.emplace_back("end"); });
    Timer timer(loop, [&] {
        order.emplace_back("timer");
        end.ask();
        loop.stop();
    });
    timer.startOnce(0ms);
    loop.post([&] {
        order.emplace_back("posted");
        end.ask();
    });
    loop.run();
    EXPECT_EQ(order, (std::vector<std::string>{"posted", "timer", "end"}));
}

TEST(LoopTest, TheEndOfATurnComesAgainForWhoeverAsksAgain) {
    Loop loop;
    int ends = 0;
    EndOfTurn* again = nullptr;
    EndOfTurn end(loop, [&] {
        if (++ends == 1) again->ask();
    });
    again = &end;
    loop.post([&] { end.ask(); });
    Timer timer(loop, [&] {
        EXPECT_EQ(ends, 2);
        end.ask();
        loop.stop();
    });
    timer.startOnce(5ms);
    loop.run();
    EXPECT_EQ(ends, 3);
}

TEST(LoopTest, WorkThatIsNeverRunIsDestroyed) {
    const auto token = std::make_shared<int>(0);
    {
        Loop loop;
        loop.post([token] {});
    }
    EXPECT_EQ(token.use_count(), 1);
}

TEST(LoopTest, WorkThatThrowsIsLoggedAndTheRestIsDone) {
    const support::LogLines lines;
    Loop loop;
    bool ran = false;
    loop.post([] { throw std::runtime_error("no memory"); });
    loop.post([] { throw 1; });
    loop.post([&] { ran = true; });
    loop.stop();
    loop.run();
    EXPECT_TRUE(ran);
    EXPECT_EQ(lines.count("CRNPD-SRV-007"), 2U);
}

TEST(LoopTest, NoExceptionPassesThroughLibevent) {
    const support::LogLines lines;
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const UniqueFd reader(ends[0]);
    const UniqueFd writer(ends[1]);
    Loop loop;
    Timer timer(loop, [] { throw std::runtime_error("timer"); });
    const SignalWatch signal(loop, SIGUSR1, [&] {
        EXPECT_EQ(::write(writer.fd(), "x", 1), 1);
        throw std::runtime_error("signal");
    });
    FdWatch watch(loop, reader.fd(), [&] {
        watch.pause();
        loop.stop();
        throw std::runtime_error("descriptor");
    });
    ASSERT_TRUE(watch.resume());
    timer.startOnce(0ms);
    Timer later(loop, [] { std::raise(SIGUSR1); });
    later.startOnce(1ms);
    loop.run();
    EXPECT_EQ(lines.count("CRNPD-SRV-007"), 3U);
}

TEST(TimerTest, RepeatsUntilItIsCancelled) {
    Loop loop;
    int times = 0;
    std::optional<Timer> timer;
    timer.emplace(loop, [&] {
        if (++times < 3) return;
        timer->cancel();
        loop.stop();
    });
    timer->startRepeating(1ms);
    loop.run();
    EXPECT_EQ(times, 3);
}

TEST(TimerTest, MayDestroyItselfInItsOwnCallback) {
    Loop loop;
    std::optional<Timer> timer;
    timer.emplace(loop, [&] {
        timer.reset();
        loop.stop();
    });
    timer->startOnce(1ms);
    loop.run();
    EXPECT_FALSE(timer.has_value());
}

TEST(SignalWatchTest, ASignalIsACallbackOnTheLoop) {
    Loop loop;
    bool seen = false;
    const SignalWatch watch(loop, SIGUSR1, [&] {
        seen = true;
        loop.stop();
    });
    loop.post([] { std::raise(SIGUSR1); });
    loop.run();
    EXPECT_TRUE(seen);
}

TEST(FdWatchTest, TellsThatBytesAreThereAndIsSilentWhilePaused) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const UniqueFd reader(ends[0]);
    const UniqueFd writer(ends[1]);
    Loop loop;
    int times = 0;
    std::optional<FdWatch> watch;
    watch.emplace(loop, reader.fd(), [&] {
        ++times;
        watch->pause();
        loop.post([&] { loop.stop(); });
    });
    ASSERT_TRUE(watch->resume());
    ASSERT_EQ(::write(writer.fd(), "x", 1), 1);
    loop.run();
    EXPECT_EQ(times, 1) << "the byte is still there, but the watch is paused";
}

}  // namespace
}  // namespace crnpd::net
