// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Chance decides what happens; a simple model says who must get what.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "tests/unit/server/delivery/dispatcher_world.h"

namespace crnpd::delivery {
namespace {

const std::vector<std::string> names{"a", "b", "c"};

class DispatcherModelTest : public testing::TestWithParam<unsigned> {
protected:
    static DispatchRules rulesOfTheModel() {
        DispatchRules rules;
        rules.retry.count = 1'000'000;
        rules.quickPlaces = 3;
        rules.doubtfulPlaces = 2;
        rules.stalledPlaces = 1;
        return rules;
    }
    std::size_t chance(std::size_t below) { return random_() % below; }

    void joinSomebody() {
        const RecordId id = 1 + chance(8);
        drop(id);
        const std::string& name = names[chance(names.size())];
        wanted_[id] = name;
        if (const auto latest = latest_.find(name); latest != latest_.end())
            expected_[id] = {owed_[id] = latest->second};
        world_.join(id, {name});
    }
    void removeSomebody() {
        const RecordId id = 1 + chance(8);
        if (!wanted_.contains(id)) return;
        drop(id);
        world_.leave(id);
    }
    // Of the state that it is owed, what has changed meanwhile; the change comes in its turn.
    void skipWhatIsCurrentNoMore(RecordId id) {
        auto& expected = expected_[id];
        if (expected.empty() || expected.front() != owed_[id] || latest_[wanted_[id]] == owed_[id]) return;
        expected.erase(expected.begin());
    }
    void drop(RecordId id) {
        owed_.erase(id);
        wanted_.erase(id);
        expected_.erase(id);
        std::erase_if(underWay_, [id](const Errand& errand) { return errand.client == id; });
    }
    void publish() {
        const std::string& name = names[chance(names.size())];
        const Sequence sequence = world_.publish(name);
        latest_[name] = sequence;
        for (const auto& [id, want] : wanted_) {
            if (want == name) expected_[id].push_back(sequence);
        }
    }
    // Whoever has everything gets what is current once more; the others have it before them.
    void tellMissed() {
        world_.tellMissed();
        for (const auto& [id, name] : wanted_) {
            const auto latest = latest_.find(name);
            if (latest == latest_.end()) continue;
            if (expected_[id].empty()) expected_[id] = {owed_[id] = latest->second};
            ASSERT_GT(world_.dispatcher.progress(addressOf(id))->waiting, 0U);
        }
    }
    void takeOne() {
        const auto errand = world_.dispatcher.take();
        if (!errand) return;
        ASSERT_TRUE(wanted_.contains(errand->client)) << "it left";
        for (const Errand& other : underWay_)
            ASSERT_NE(other.client, errand->client) << "two at once";
        skipWhatIsCurrentNoMore(errand->client);
        ASSERT_FALSE(expected_[errand->client].empty());
        ASSERT_EQ(errand->event.sequence, expected_[errand->client].front());
        underWay_.push_back(*errand);
        ASSERT_LE(underWay_.size(), 3U + 2U + 1U + 3U);
    }
    void endOne(bool well) {
        if (underWay_.empty()) return;
        const auto at = underWay_.begin() + static_cast<std::ptrdiff_t>(chance(underWay_.size()));
        const Errand errand = *at;
        underWay_.erase(at);
        if (well) {
            auto& expected = expected_[errand.client];
            expected.erase(expected.begin());
            world_.dispatcher.delivered(errand.ticket);
        } else {
            world_.dispatcher.failed(errand.ticket, "refused");
        }
    }
    void passTime() {
        world_.pass(std::chrono::milliseconds(chance(400)));
        for (const Ticket ticket : std::exchange(world_.recalled, {}))
            std::erase_if(underWay_, [ticket](const Errand& errand) { return errand.ticket == ticket; });
    }
    void step() {
        switch (chance(12)) {
            case 0:
                return joinSomebody();
            case 1:
                return chance(4) == 0 ? removeSomebody() : tellMissed();
            case 2:
            case 3:
                return publish();
            case 4:
                return passTime();
            case 5:
                return endOne(false);
            case 6:
            case 7:
            case 8:
                return endOne(true);
            default:
                return takeOne();
        }
    }
    [[nodiscard]] bool allHaveAll() const {
        return std::all_of(expected_.begin(), expected_.end(),
                           [](const auto& one) { return one.second.empty(); });
    }

    World world_{rulesOfTheModel()};
    std::mt19937 random_{GetParam()};
    std::map<RecordId, std::string> wanted_;
    std::map<RecordId, std::vector<Sequence>> expected_;
    std::map<RecordId, Sequence> owed_;
    std::map<std::string, Sequence> latest_;
    std::vector<Errand> underWay_;
};

TEST_P(DispatcherModelTest, EverybodyGetsEverythingOnceInOrderAndNothingAfterItLeft) {
    for (int count = 0; count < 3'000; ++count) {
        step();
        if (HasFatalFailure()) return;
    }
    for (int count = 0; count < 20'000 && !allHaveAll(); ++count) {
        world_.pass(std::chrono::hours(1));
        for (const Ticket ticket : std::exchange(world_.recalled, {}))
            std::erase_if(underWay_, [ticket](const Errand& errand) { return errand.ticket == ticket; });
        takeOne();
        endOne(true);
        if (HasFatalFailure()) return;
    }
    EXPECT_TRUE(allHaveAll());
    EXPECT_FALSE(world_.dispatcher.take());
}

INSTANTIATE_TEST_SUITE_P(Seeds, DispatcherModelTest, testing::Range(0U, 40U));

}  // namespace
}  // namespace crnpd::delivery
