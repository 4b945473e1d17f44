// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/current_state.h"

#include <algorithm>
#include <random>
#include <string>

#include <gmock/gmock.h>

#include "common/missed_events.h"

namespace crnpd::delivery {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Registrations = std::vector<EventRegistration>;

Event membership() {
    return {"EC_Cluster", "ESC_cluster_membership", "SUNW", "rgm", {{"node_list", {"a"}}}};
}
Event group(const std::string& name) {
    return {"EC_Cluster", "ESC_cluster_rg_state", "SUNW", "rgm", {{"rg_name", {name}}, {"node_list", {"a"}}}};
}
Event resource(const std::string& name) {
    return {"EC_Cluster", "ESC_cluster_r_state", "SUNW", "rgm", {{"r_name", {name}}, {"rg_name", {"same"}}}};
}
Event other(const std::string& name) {
    return {"other", "ESC_cluster_rg_state", "", "", {{"rg_name", {name}}}};
}

const EventRegistration everything{"EC_Cluster", std::nullopt, {}};
const EventRegistration groups{"EC_Cluster", "ESC_cluster_rg_state", {}};
EventRegistration ofGroup(const std::string& name) {
    return {"EC_Cluster", "ESC_cluster_rg_state", {{"rg_name", {name}}}};
}

class CurrentStateTest : public testing::Test {
protected:
    void publish(const Event& event) { state_.put({++last_, std::make_shared<Event>(event)}); }
    [[nodiscard]] std::vector<Sequence> wanted(const Registrations& now,
                                               const Registrations& before = {}) const {
        return state_.wanted(now, before);
    }

    CurrentState state_{1000};
    Sequence last_ = 0;
};

TEST_F(CurrentStateTest, KeepsTheLatestForEachGroupAndEachResource) {
    publish(group("a"));
    publish(group("b"));
    publish(resource("a"));
    publish(resource("b"));
    publish(group("a"));
    publish(resource("b"));
    EXPECT_THAT(wanted({everything}), ElementsAre(2, 3, 5, 6));
    EXPECT_FALSE(state_.holds(1));
    EXPECT_EQ(state_.event(1), nullptr);
    EXPECT_EQ(*state_.event(5), group("a"));
}

TEST_F(CurrentStateTest, KeepsOneForEveryOtherType) {
    publish(membership());
    publish(other("a"));
    publish(membership());
    publish(other("b"));
    EXPECT_THAT(wanted({everything}), ElementsAre(3));
    EXPECT_THAT(wanted({{"other", std::nullopt, {}}}), ElementsAre(4));
}

TEST_F(CurrentStateTest, AnEventWithoutItsNameOrWithTwoIsOneKind) {
    Event nameless = group("a");
    nameless.pairs.erase(nameless.pairs.begin());
    Event twoNames = group("a");
    twoNames.pairs.push_back({"rg_name", {"b"}});
    publish(group("a"));
    publish(nameless);
    publish(twoNames);
    EXPECT_THAT(wanted({groups}), ElementsAre(1, 3));
    EXPECT_THAT(wanted({ofGroup("b")}), ElementsAre(3));
    EXPECT_THAT(wanted({ofGroup("a")}), ElementsAre(1, 3));
}

TEST_F(CurrentStateTest, AnAddingClientGetsOnlyWhatIsNewToIt) {
    publish(membership());
    publish(group("a"));
    publish(group("b"));
    EXPECT_THAT(wanted({groups}, {ofGroup("a")}), ElementsAre(3));
    EXPECT_THAT(wanted({ofGroup("a")}, {groups}), IsEmpty());
    EXPECT_THAT(wanted({everything, ofGroup("a")}, {groups}), ElementsAre(1));
    EXPECT_THAT(wanted({groups, ofGroup("a")}, {}), ElementsAre(2, 3));
    EXPECT_THAT(wanted({}, {}), IsEmpty());
}

TEST_F(CurrentStateTest, AQueueCollapsesToWhatIsCurrentOfIt) {
    publish(group("a"));
    publish(group("b"));
    publish(group("b"));
    publish(membership());
    publish(group("c"));
    const Wants wantsGroups = [](const Event& event) { return asksFor(groups, event); };
    EXPECT_THAT(state_.collapsed(0, 5, wantsGroups), ElementsAre(1, 3, 5));
    EXPECT_THAT(state_.collapsed(1, 4, wantsGroups), ElementsAre(3));
    EXPECT_THAT(state_.collapsed(5, 5, wantsGroups), IsEmpty());
}

TEST(CurrentStateLimit, ForgetsTheKindThatHasBeenSilentLongest) {
    CurrentState state(2);
    const auto put = [&](Sequence sequence, const Event& event) {
        return state.put({sequence, std::make_shared<Event>(event)});
    };
    EXPECT_FALSE(put(1, group("a")));
    EXPECT_FALSE(put(2, group("b")));
    const auto superseded = put(3, group("a"));
    ASSERT_TRUE(superseded);
    EXPECT_EQ(superseded->sequence, 1U);
    EXPECT_FALSE(superseded->forgotten);
    const auto forgotten = put(4, group("c"));
    ASSERT_TRUE(forgotten);
    EXPECT_EQ(forgotten->sequence, 2U);
    EXPECT_TRUE(forgotten->forgotten);
    EXPECT_EQ(state.size(), 2U);
    EXPECT_TRUE(state.holds(3) && state.holds(4));
}

TEST(CurrentState, TheNoticeThatEventsMayHaveBeenMissedIsNeverForgotten) {
    CurrentState state(2);
    state.put({1, std::make_shared<Event>(missedEvents("watcher", "it was away"))});
    state.put({2, std::make_shared<Event>(group("a"))});
    const auto forgotten = state.put({3, std::make_shared<Event>(group("b"))});
    ASSERT_TRUE(forgotten);
    EXPECT_EQ(forgotten->sequence, 2U);
    EXPECT_TRUE(forgotten->forgotten);
    EXPECT_TRUE(state.holds(1) && state.holds(3));
}

TEST_F(CurrentStateTest, TellsAllThatIsOlderThanANumber) {
    publish(group("a"));
    publish(group("b"));
    publish(group("a"));
    publish(resource("a"));
    const auto found = state_.before(4);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].sequence, 2U);
    EXPECT_EQ(*found[0].event, group("b"));
    EXPECT_EQ(found[1].sequence, 3U);
}

// Against looking at every current event.
TEST_F(CurrentStateTest, FindsWhatTheDefinitionFinds) {
    std::mt19937 random(5);
    const auto word = [&](const char* of) { return of + std::to_string(random() % 4); };
    const auto registration = [&] {
        EventRegistration one{random() % 8 == 0 ? "other" : "EC_Cluster", std::nullopt, {}};
        if (random() % 4 > 0)
            one.subclass = random() % 2 == 0 ? "ESC_cluster_rg_state" : "ESC_cluster_r_state";
        if (random() % 2 == 0) one.pairs.push_back({random() % 2 == 0 ? "rg_name" : "r_name", {word("")}});
        if (random() % 4 == 0) one.pairs.push_back({"rg_name", {word("")}});
        normalize(one);
        return one;
    };
    std::size_t found = 0;
    for (int step = 0; step < 3000; ++step) {
        Event event = random() % 2 == 0 ? group(word("")) : resource(word(""));
        if (random() % 8 == 0) event.pairs.push_back({"rg_name", {word("")}});
        if (random() % 8 == 0) event.eventClass = "other";
        publish(event);
        const Registrations now{registration(), registration()};
        const Registrations before{registration()};
        std::vector<Sequence> expected;
        for (Sequence sequence = 1; sequence <= last_; ++sequence) {
            const auto held = state_.event(sequence);
            if (held == nullptr || asksFor(before[0], *held)) continue;
            if (asksFor(now[0], *held) || asksFor(now[1], *held)) expected.push_back(sequence);
        }
        ASSERT_EQ(wanted(now, before), expected) << step;
        found += expected.size();
    }
    EXPECT_GT(found, 1000U);
}

}  // namespace
}  // namespace crnpd::delivery
