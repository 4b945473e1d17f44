// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/matching.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include <gmock/gmock.h>

namespace crnpd::delivery {
namespace {

using Registrations = std::vector<EventRegistration>;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const Event webGroup{
    "EC_Cluster",
    "ESC_cluster_rg_state",
    "SUNW",
    "rgm",
    {{"rg_name", {"web"}}, {"node_list", {"a", "b"}}, {"state_list", {"ONLINE", "OFFLINE"}}}};

class MatchingTest : public testing::Test {
protected:
    void set(ClientIndex client, Registrations registrations) {
        for (auto& registration : registrations)
            normalize(registration);
        matching_.set(client, registrations);
    }
    std::vector<ClientIndex> clientsOf(const Event& event) {
        std::vector<ClientIndex> clients;
        matching_.match(event, clients);
        return clients;
    }

    Matching matching_;
};

EventRegistration groupState(std::vector<NvPair> pairs) {
    return {"EC_Cluster", "ESC_cluster_rg_state", std::move(pairs)};
}

TEST_F(MatchingTest, OmissionIsTheOnlyWildcard) {
    set(0, {{"EC_Cluster", std::nullopt, {}}});
    set(1, {groupState({})});
    set(2, {groupState({{"rg_name", {"web"}}})});
    set(3, {{"EC_Cluster", std::nullopt, {{"rg_name", {"web"}}}}});
    set(4, {{"EC_Cluster", "", {}}});
    set(5, {{"EC_Cluster", "ESC_cluster_membership", {}}});
    set(6, {groupState({{"rg_name", {"db"}}})});
    set(7, {{"EC", std::nullopt, {}}});
    EXPECT_THAT(clientsOf(webGroup), UnorderedElementsAre(0, 1, 2, 3));
}

TEST_F(MatchingTest, EveryPairMustOccurAndValueListsCompareInOrder) {
    set(0, {groupState({{"node_list", {"a", "b"}}, {"rg_name", {"web"}}})});
    set(1, {groupState({{"node_list", {"b", "a"}}})});
    set(2, {groupState({{"node_list", {"a"}}})});
    set(3, {groupState({{"rg_name", {"web"}}, {"rg_name", {"db"}}})});
    set(4, {groupState({{"rg_name", {"web"}}, {"node_list", {"a", "b"}}, {"state_list", {"ONLINE"}}})});
    EXPECT_THAT(clientsOf(webGroup), ElementsAre(0));
}

TEST_F(MatchingTest, AClientGetsAnEventOnceHoweverManyRegistrationsMatch) {
    set(0, {{"EC_Cluster", std::nullopt, {}},
            groupState({}),
            groupState({{"rg_name", {"web"}}}),
            groupState({})});
    EXPECT_THAT(clientsOf(webGroup), ElementsAre(0));
    EXPECT_THAT(clientsOf(webGroup), ElementsAre(0));
}

TEST_F(MatchingTest, ANewListReplacesTheOldOneAsAWhole) {
    set(0, {groupState({}), {"other", std::nullopt, {}}});
    set(0, {groupState({{"rg_name", {"db"}}}), {"other", std::nullopt, {}}});
    EXPECT_THAT(clientsOf(webGroup), IsEmpty());
    EXPECT_THAT(clientsOf({"other", "x", "", "", {}}), ElementsAre(0));
}

TEST_F(MatchingTest, ARemovedClientLeavesNothingBehind) {
    set(3, {groupState({{"rg_name", {"web"}}, {"node_list", {"a", "b"}}}), groupState({})});
    set(1, {groupState({})});
    matching_.remove(3);
    matching_.remove(3);
    matching_.remove(4000);
    EXPECT_THAT(clientsOf(webGroup), ElementsAre(1));
    EXPECT_FALSE(matching_.wants(3, webGroup));
    matching_.remove(1);
    EXPECT_TRUE(matching_.isEmpty());
}

TEST_F(MatchingTest, APairThatEveryoneHasIsNobodysAnchor) {
    constexpr ClientIndex clients = 2000;
    for (ClientIndex client = 0; client < clients; ++client)
        set(client, {groupState({{"a", {"common"}}, {"b", {std::to_string(client)}}, {"c", {"common"}}})});
    // A pattern each, and a group each. Had they one anchor, there would be a group for all of them.
    EXPECT_GE(matching_.patterns(), 2 * clients - 2);
}

// A small world, so that what is drawn often coincides.
class World {
public:
    explicit World(unsigned seed) : random_(seed) {}

    unsigned below(unsigned limit) { return std::uniform_int_distribution<unsigned>(0, limit - 1)(random_); }

    std::vector<NvPair> pairs(unsigned most) {
        std::vector<NvPair> pairs;
        for (unsigned i = below(most + 1); i > 0; --i) {
            NvPair pair{word("n", 3), {word("v", 2)}};
            if (below(4) == 0) pair.values.push_back(word("v", 2));
            pairs.push_back(std::move(pair));
        }
        return pairs;
    }
    Registrations registrations() {
        Registrations all;
        for (unsigned i = below(4); i > 0; --i) {
            EventRegistration one{word("c", 2), std::nullopt, pairs(3)};
            if (below(3) > 0) one.subclass = word("s", 2);
            normalize(one);
            all.push_back(std::move(one));
        }
        return all;
    }
    Event event() { return {word("c", 2), word("s", 2), "v", "p", pairs(5)}; }

private:
    std::string word(const char* of, unsigned many) {
        const unsigned number = below(many + 1);
        return number == 0 ? std::string() : of + std::to_string(number);
    }

    std::mt19937 random_;
};

bool asksForAny(const Registrations& registrations, const Event& event) {
    return std::any_of(registrations.begin(), registrations.end(),
                       [&](const auto& registration) { return asksFor(registration, event); });
}

TEST(MatchingProperty, FindsWhomTheDefinitionFinds) {
    constexpr unsigned clients = 40;
    std::size_t found = 0;
    for (unsigned seed = 0; seed < 40; ++seed) {
        World world(seed);
        Matching matching;
        std::map<ClientIndex, Registrations> all;
        for (unsigned step = 0; step < 400; ++step) {
            const ClientIndex client = world.below(clients);
            if (world.below(4) == 0) {
                matching.remove(client);
                all.erase(client);
            } else {
                all[client] = world.registrations();
                matching.set(client, all[client]);
            }
            const Event event = world.event();
            std::vector<ClientIndex> matched;
            matching.match(event, matched);
            std::sort(matched.begin(), matched.end());
            std::vector<ClientIndex> expected;
            for (const auto& [other, registrations] : all) {
                const bool wanted = asksForAny(registrations, event);
                if (wanted) expected.push_back(other);
                ASSERT_EQ(matching.wants(other, event), wanted) << "seed " << seed << " step " << step;
            }
            ASSERT_EQ(matched, expected) << "seed " << seed << " step " << step;
            found += matched.size();
        }
        for (ClientIndex client = 0; client < clients; ++client)
            matching.remove(client);
        ASSERT_TRUE(matching.isEmpty()) << "seed " << seed;
    }
    EXPECT_GT(found, 20000U);  // else little was compared
}

}  // namespace
}  // namespace crnpd::delivery
