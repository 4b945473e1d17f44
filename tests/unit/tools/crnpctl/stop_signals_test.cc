// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/stop_signals.h"

#include <csignal>

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

namespace crnpd::crnpctl {
namespace {

void awaitStop(const StopSignals& signals) {
    pollfd entry{signals.fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, 10'000), 1);
}

// Each in a process of its own: it is about how that ends.

TEST(StopSignalsDeathTest, TheFirstSignalMakesTheDescriptorReadableAndNothingElse) {
    for (const int signal : {SIGINT, SIGTERM}) {
        EXPECT_EXIT(
            {
                const StopSignals signals;
                ::kill(::getpid(), signal);
                awaitStop(signals);
                char byte = 0;
                ::_exit(::read(signals.fd(), &byte, 1) == 1 ? 42 : 1);
            },
            ::testing::ExitedWithCode(42), "");
    }
}

TEST(StopSignalsDeathTest, TheSecondSignalEndsTheProcessWhateverItWaitsFor) {
    EXPECT_EXIT(
        {
            const StopSignals signals;
            ::kill(::getpid(), SIGTERM);
            awaitStop(signals);
            ::kill(::getpid(), SIGINT);
            ::poll(nullptr, 0, 10'000);
            ::_exit(0);
        },
        ::testing::KilledBySignal(SIGINT), "");
}

TEST(StopSignalsDeathTest, WithoutASignalItGoesAndLeavesTheSignalsAsTheyWere) {
    EXPECT_EXIT(
        {
            { const StopSignals signals; }
            ::kill(::getpid(), SIGTERM);
            ::poll(nullptr, 0, 10'000);
            ::_exit(0);
        },
        ::testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace crnpd::crnpctl
