// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Thousands of stories of what can go wrong between servers, etcd and clients (simulation.h).
//
//     CRNPD_SEEDS=1000000 simulation_test     more of them
//     CRNPD_SEED=4711 simulation_test         one of them, told in full
#include "tests/simulation/simulation.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

namespace crnpd::simulation {
namespace {

// Sanitizers look at each story more closely and take ten times as long.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t usualSeeds = 3'000;
#else
constexpr std::uint64_t usualSeeds = 20'000;
#endif

std::optional<std::uint64_t> numberFrom(const char* variable) {
    const char* text = std::getenv(variable);
    if (text == nullptr) return std::nullopt;
    return std::strtoull(text, nullptr, 10);
}

class SimulationTest : public testing::Test {
protected:
    Coverage coverage;

    void SetUp() override { spdlog::set_level(spdlog::level::off); }

    std::string run(std::uint64_t seed, const Mutation& mutation, bool tells = false) {
        return Simulation(seed, mutation, coverage, tells).run();
    }

    // The first seed whose story goes wrong; nothing if none of the usual number does.
    void expectCaught(const Mutation& mutation) {
        for (std::uint64_t seed = 1; seed <= usualSeeds; ++seed) {
            const auto violation = run(seed, mutation);
            if (violation.empty()) continue;
            std::printf("caught by seed %llu: %s\n", static_cast<unsigned long long>(seed),
                        violation.c_str());
            RecordProperty("seed", std::to_string(seed));
            return;
        }
        FAIL() << "none of " << usualSeeds << " stories shows that something is wrong";
    }
};

using Teeth = SimulationTest;

TEST_F(SimulationTest, ThePromiseIsKept) {
    const Mutation none;
    if (const auto seed = numberFrom("CRNPD_SEED")) {
        EXPECT_EQ(run(*seed, none, true), "");
        return;
    }
    const auto seeds = numberFrom("CRNPD_SEEDS").value_or(usualSeeds);
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        const auto violation = run(seed, none);
        ASSERT_EQ(violation, "") << "seed " << seed << "; to see it again:\n    CRNPD_SEED=" << seed
                                 << " simulation_test --gtest_filter=SimulationTest.ThePromiseIsKept";
    }
    for (const auto& [event, times] : coverage)
        std::printf("%10llu  %s\n", static_cast<unsigned long long>(times), event.c_str());
    for (const auto* event : required)
        EXPECT_GT(coverage[event], 0U) << "no story had this, so they prove nothing about it: " << event;
}

TEST_F(SimulationTest, TheSameSeedIsTheSameStory) {
    const Mutation none;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        Simulation first(seed, none, coverage);
        Simulation second(seed, none, coverage);
        EXPECT_EQ(first.run(), second.run());
        EXPECT_EQ(first.fingerprint(), second.fingerprint());
    }
}

TEST_F(Teeth, TheSimulationCatchesAMissingGuard) {
    expectCaught(guardDropped());
}

TEST_F(Teeth, TheSimulationCatchesAReplyBeforeTheCommit) {
    expectCaught(replyBeforeCommit());
}

TEST_F(Teeth, TheSimulationCatchesABlindRetry) {
    expectCaught(blindRetry());
}

TEST_F(Teeth, TheSimulationCatchesARefusalOfWhatIsUnknown) {
    expectCaught(unknownRefused());
}

TEST_F(Teeth, TheSimulationCatchesAnAnswerThatNoCommitConfirmed) {
    expectCaught(settledUnconfirmed());
}

TEST_F(Teeth, TheSimulationCatchesAMissingFence) {
    expectCaught(fenceSkipped());
}

TEST_F(Teeth, TheSimulationCatchesAnEventThatIsAcknowledgedAndNotKept) {
    expectCaught(eventsNotStored());
}

TEST_F(Teeth, TheSimulationCatchesANumberThatIsForgottenWithItsRow) {
    expectCaught(lastNumberForgotten());
}

}  // namespace
}  // namespace crnpd::simulation
