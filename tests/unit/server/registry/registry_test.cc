// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Section 4 of docs/protocol.md, row by row.
#include "server/registry/registry.h"

#include <utility>

#include <gtest/gtest.h>

#include "common/registration_codec.h"

namespace crnpd::registry {
namespace {

using namespace std::chrono_literals;

constexpr WallTime noon{1'700'000'000'000ms};

EventRegistration event(std::string eventClass, std::optional<std::string> subclass = std::nullopt,
                        std::vector<NvPair> pairs = {}) {
    EventRegistration registration{std::move(eventClass), std::move(subclass), std::move(pairs)};
    normalize(registration);
    return registration;
}

EventRegistration group(const std::string& name) {
    return event("EC_Cluster", "ESC_cluster_rg_state", {{"rg_name", {name}}});
}

CallbackAddress client(std::uint16_t port) {
    return {*IpAddress::parse("192.0.2.1"), port};
}

class RegistryTest : public testing::Test {
protected:
    // Decides one request and commits what it changes.
    Decision send(RegistrationType type, std::vector<EventRegistration> events = {},
                  std::uint16_t port = 2001) {
        Staging staging(registry);
        auto decision = staging.decide({client(port), type, std::move(events)}, now);
        committed = staging.changes();
        adopt(registry, std::move(staging));
        return decision;
    }
    StatusCode add(std::vector<EventRegistration> events = {}, std::uint16_t port = 2001) {
        return send(RegistrationType::addClient, std::move(events), port).reply.code;
    }
    std::vector<EventRegistration> registered(std::uint16_t port = 2001) {
        const auto* const entry = registry.client(client(port));
        return entry == nullptr ? std::vector<EventRegistration>{}
                                : decodeRegistrations(entry->registrations.view()).value();
    }

    Rules rules;
    Registry registry{rules};
    WallTime now = noon;
    std::vector<Change> committed;
};

using Events = std::vector<EventRegistration>;

TEST_F(RegistryTest, AddClientCreatesAnUnknownClient) {
    EXPECT_EQ(add({event("A"), group("web")}), StatusCode::ok);
    EXPECT_EQ(registered(), (Events{event("A"), group("web")}));
    EXPECT_EQ(registry.clients(), 1U);
}

TEST_F(RegistryTest, AClientMayHaveNoRegistrations) {
    EXPECT_EQ(add(), StatusCode::ok);
    EXPECT_NE(registry.client(client(2001)), nullptr);
}

TEST_F(RegistryTest, AddClientReplacesARegistrationAsAWhole) {
    add({event("A"), event("B")});
    EXPECT_EQ(add({event("C")}), StatusCode::ok);
    EXPECT_EQ(registered(), Events{event("C")});
    EXPECT_EQ(registry.clients(), 1U);
}

TEST_F(RegistryTest, AReplacedClientKeepsItsRow) {
    add({event("A")});
    const auto id = registry.client(client(2001))->id;
    add({event("B")});
    EXPECT_EQ(registry.client(client(2001))->id, id);
    EXPECT_EQ(committed, (std::vector<Change>{ClientRecord{
                             id, client(2001), encodeRegistrations(Events{event("B")}), {}, 2, 2}}));
}

TEST_F(RegistryTest, TheSameAddClientAgainIsCommittedAgainBecauseItIsOwedTheWholeState) {
    add({event("A")});
    const auto decision = send(RegistrationType::addClient, {event("A")});
    EXPECT_EQ(decision.reply.code, StatusCode::ok);
    EXPECT_TRUE(decision.provisional);
    EXPECT_EQ(committed.size(), 1U);
    EXPECT_EQ(registry.client(client(2001))->joined, 2U);
}

TEST_F(RegistryTest, TheSameAddEventsAgainIsOkAndNeedsNoCommit) {
    add({event("A")});
    const auto decision = send(RegistrationType::addEvents, {event("A")});
    EXPECT_EQ(decision.reply.code, StatusCode::ok);
    EXPECT_FALSE(decision.provisional);
    EXPECT_TRUE(committed.empty());
}

TEST_F(RegistryTest, ARegistrationThatIsListedTwiceCountsOnce) {
    EXPECT_EQ(send(RegistrationType::addClient, {group("web"), group("web")}).registrations, 1U);
}

TEST_F(RegistryTest, PairsAreASetButValuesAnOrderedList) {
    const auto ab = event("A", "S", {{"x", {"1"}}, {"y", {"2"}}});
    const auto ba = event("A", "S", {{"y", {"2"}}, {"x", {"1"}}});
    const auto values = event("A", "S", {{"x", {"1", "2"}}});
    const auto turned = event("A", "S", {{"x", {"2", "1"}}});
    add({ab, ba, values, turned});
    EXPECT_EQ(registered(), (Events{ab, values, turned}));
}

TEST_F(RegistryTest, AddClientBeyondMaxClientsIsLowResource) {
    rules.maxClients = 1;
    registry.setRules(rules);
    add({}, 1);
    EXPECT_EQ(add({}, 2), StatusCode::lowResource);
    EXPECT_EQ(registry.client(client(2)), nullptr);
}

TEST_F(RegistryTest, AtMaxClientsARegisteredClientMayStillReplaceItsRegistration) {
    rules.maxClients = 1;
    registry.setRules(rules);
    add({event("A")});
    EXPECT_EQ(add({event("B")}), StatusCode::ok);
}

TEST_F(RegistryTest, ARemovedClientMakesRoomForAnother) {
    rules.maxClients = 1;
    registry.setRules(rules);
    add({}, 1);
    send(RegistrationType::removeClient, {}, 1);
    EXPECT_EQ(add({}, 2), StatusCode::ok);
}

TEST_F(RegistryTest, AddEventsAddsAndSkipsWhatExists) {
    add({event("A")});
    EXPECT_EQ(send(RegistrationType::addEvents, {event("A"), event("B")}).reply.code, StatusCode::ok);
    EXPECT_EQ(registered(), (Events{event("A"), event("B")}));
}

TEST_F(RegistryTest, EveryMessageButAddClientFailsForAnUnknownClient) {
    for (const auto type :
         {RegistrationType::addEvents, RegistrationType::removeEvents, RegistrationType::removeClient}) {
        EXPECT_EQ(send(type, {event("A")}).reply.code, StatusCode::fail) << name(type);
        EXPECT_TRUE(committed.empty());
    }
}

TEST_F(RegistryTest, RemoveEventsWithPairsRemovesExactlyThatRegistration) {
    add({group("web"), group("db"), event("EC_Cluster", "ESC_cluster_rg_state")});
    send(RegistrationType::removeEvents, {group("web")});
    EXPECT_EQ(registered(), (Events{group("db"), event("EC_Cluster", "ESC_cluster_rg_state")}));
}

TEST_F(RegistryTest, RemoveEventsWithoutPairsRemovesAllOfThatClassAndSubclass) {
    add({group("web"), group("db"), event("EC_Cluster", "ESC_cluster_membership")});
    send(RegistrationType::removeEvents, {event("EC_Cluster", "ESC_cluster_rg_state")});
    EXPECT_EQ(registered(), Events{event("EC_Cluster", "ESC_cluster_membership")});
}

TEST_F(RegistryTest, RemoveEventsWithoutSubclassRemovesAllOfThatClass) {
    add({group("web"), event("EC_Cluster"), event("Other", "S")});
    send(RegistrationType::removeEvents, {event("EC_Cluster")});
    EXPECT_EQ(registered(), (Events{event("Other", "S")}));
}

TEST_F(RegistryTest, RemoveEventsSkipsWhatDoesNotExist) {
    add({event("A")});
    EXPECT_EQ(send(RegistrationType::removeEvents, {event("B")}).reply.code, StatusCode::ok);
    EXPECT_EQ(registered(), Events{event("A")});
}

TEST_F(RegistryTest, RemoveClientForgetsTheRegistrationsAndIgnoresItsEventList) {
    add({event("A")});
    EXPECT_EQ(send(RegistrationType::removeClient, {event("Z")}).reply.code, StatusCode::ok);
    EXPECT_EQ(registry.client(client(2001)), nullptr);
    EXPECT_EQ(registry.clients(), 0U);
    EXPECT_EQ(registry.removals(), 1U);
}

TEST_F(RegistryTest, ARepeatedRemovalIsOkWhileItIsRemembered) {
    add();
    send(RegistrationType::removeClient);
    now += rules.removalMemory - 1ms;
    EXPECT_EQ(send(RegistrationType::removeClient).reply.code, StatusCode::ok);
    now += 1ms;
    EXPECT_EQ(send(RegistrationType::removeClient).reply.code, StatusCode::fail);
}

TEST_F(RegistryTest, AClockThatWasSetBackForgetsNothing) {
    add();
    send(RegistrationType::removeClient);
    now -= 48h;
    EXPECT_EQ(send(RegistrationType::removeClient).reply.code, StatusCode::ok);
}

TEST_F(RegistryTest, ARemovedClientIsUnknownToEveryOtherMessage) {
    add();
    send(RegistrationType::removeClient);
    EXPECT_EQ(send(RegistrationType::addEvents, {event("A")}).reply.code, StatusCode::fail);
    EXPECT_EQ(send(RegistrationType::removeEvents).reply.code, StatusCode::fail);
}

TEST_F(RegistryTest, ARemovedClientMayComeBackAndLeaveAgain) {
    add({event("A")});
    send(RegistrationType::removeClient);
    EXPECT_EQ(add({event("B")}), StatusCode::ok);
    EXPECT_EQ(registered(), Events{event("B")});
    EXPECT_EQ(registry.removals(), 0U);
    EXPECT_EQ(send(RegistrationType::removeClient).reply.code, StatusCode::ok);
}

TEST_F(RegistryTest, OldRemovalsAreForgottenInPortionsAndYoungOnesKept) {
    for (std::uint16_t port = 1; port <= 3; ++port)
        add({}, port);
    send(RegistrationType::removeClient, {}, 1);
    send(RegistrationType::removeClient, {}, 2);
    now += rules.removalMemory;
    send(RegistrationType::removeClient, {}, 3);

    Staging staging(registry);
    staging.forgetOldRemovals(now, 1);
    EXPECT_EQ(staging.size(), 1U);
    staging.forgetOldRemovals(now, 10);
    EXPECT_EQ(staging.size(), 2U);
    adopt(registry, std::move(staging));
    EXPECT_EQ(registry.removals(), 1U);
}

TEST_F(RegistryTest, ForgettingLeavesAClientThatCameBack) {
    add();
    send(RegistrationType::removeClient);
    add({event("A")});
    now += rules.removalMemory;
    Staging staging(registry);
    staging.forgetOldRemovals(now, 10);
    EXPECT_EQ(staging.size(), 0U);
}

TEST_F(RegistryTest, AStagingLayerThatIsDroppedChangesNothing) {
    add({event("A")});
    {
        Staging staging(registry);
        staging.decide({client(2001), RegistrationType::removeClient, {}}, now);
        staging.decide({client(2002), RegistrationType::addClient, {}}, now);
    }
    EXPECT_EQ(registered(), Events{event("A")});
    EXPECT_EQ(registry.clients(), 1U);
}

TEST_F(RegistryTest, RequestsOfOneBatchSeeEachOther) {
    Staging staging(registry);
    EXPECT_EQ(staging.decide({client(1), RegistrationType::addClient, {event("A")}}, now).reply.code,
              StatusCode::ok);
    EXPECT_EQ(staging.decide({client(1), RegistrationType::addEvents, {event("B")}}, now).registrations, 2U);
    EXPECT_EQ(staging.decide({client(1), RegistrationType::removeClient, {}}, now).reply.code,
              StatusCode::ok);
    const auto refused = staging.decide({client(1), RegistrationType::addEvents, {event("B")}}, now);
    EXPECT_EQ(refused.reply.code, StatusCode::fail);
    EXPECT_TRUE(refused.provisional) << "the refusal is true only once the removal before it is committed";
    EXPECT_EQ(staging.size(), 1U) << "one row is written once a batch";
}

TEST_F(RegistryTest, ARefusalThatRestsOnNothingUncommittedStandsAtOnce) {
    Staging staging(registry);
    staging.decide({client(1), RegistrationType::addClient, {}}, now);
    EXPECT_FALSE(staging.decide({client(2), RegistrationType::addEvents, {}}, now).provisional);
}

TEST_F(RegistryTest, ARefusalForWantOfRoomRestsOnTheClientsOfTheSameBatch) {
    rules.maxClients = 1;
    registry.setRules(rules);
    Staging staging(registry);
    staging.decide({client(1), RegistrationType::addClient, {}}, now);
    EXPECT_TRUE(staging.decide({client(2), RegistrationType::addClient, {}}, now).provisional);
}

TEST_F(RegistryTest, TooManyRegistrationsOfOneClientAreLowResourceHoweverTheyCome) {
    rules.registrationsPerClient = 2;
    registry.setRules(rules);
    EXPECT_EQ(add({event("A"), event("B"), event("C")}), StatusCode::lowResource);
    EXPECT_EQ(add({event("A"), event("B")}), StatusCode::ok);
    EXPECT_EQ(send(RegistrationType::addEvents, {event("C")}).reply.code, StatusCode::lowResource);
    EXPECT_EQ(registered(), (Events{event("A"), event("B")}));
}

TEST_F(RegistryTest, WhatAClientHasItKeepsAndMayHaveLessOfItWhenTheLimitsWereLowered) {
    add({event("A"), event("B"), event("C")});
    rules.registrationsPerClient = 1;
    rules.bytesPerClient = 1;
    registry.setRules(rules);
    EXPECT_EQ(send(RegistrationType::addEvents, {event("C")}).reply.code, StatusCode::ok) << "as before";
    EXPECT_EQ(add({event("A"), event("B"), event("C")}), StatusCode::ok) << "as before";
    EXPECT_EQ(send(RegistrationType::addEvents, {event("D")}).reply.code, StatusCode::lowResource);
    EXPECT_EQ(add({event("A"), event("D")}), StatusCode::lowResource);
    EXPECT_EQ(send(RegistrationType::removeEvents, {event("A")}).reply.code, StatusCode::ok);
    EXPECT_EQ(registered(), (Events{event("B"), event("C")})) << "still more than the limit";
}

TEST_F(RegistryTest, TooLongRegistrationsOfOneClientAreLowResource) {
    rules.bytesPerClient = 100;
    registry.setRules(rules);
    EXPECT_EQ(add({event(std::string(60, 'a'))}), StatusCode::ok);
    EXPECT_EQ(send(RegistrationType::addEvents, {event(std::string(60, 'b'))}).reply.code,
              StatusCode::lowResource);
}

TEST_F(RegistryTest, ALoadedSnapshotIsTheWholeState) {
    add({}, 9);
    Snapshot snapshot;
    snapshot.clients = {{7, client(1), encodeRegistrations(Events{event("A")})}};
    snapshot.removals = {{8, client(2), noon}};
    registry.load(snapshot);
    EXPECT_EQ(registry.clientAddresses(), std::vector{client(1)});
    EXPECT_EQ(send(RegistrationType::removeClient, {}, 2).reply.code, StatusCode::ok);
    add({}, 3);
    EXPECT_EQ(registry.client(client(3))->id, 9U) << "ids go on above the greatest one";
}

TEST_F(RegistryTest, ASnapshotIsEverythingThatIsKnown) {
    Snapshot snapshot;
    snapshot.clients = {{7, client(1), encodeRegistrations(Events{event("A")})}};
    snapshot.removals = {{8, client(2), noon}};
    registry.load(snapshot);
    EXPECT_EQ(registry.snapshot(), snapshot);
    add({}, 2);
    EXPECT_EQ(registry.snapshot().clients.size(), 2U);
    EXPECT_TRUE(registry.snapshot().removals.empty());
}

TEST_F(RegistryTest, ClientsThatComeAndGoAllDayLeaveNoPile) {
    for (int i = 0; i < 10000; ++i) {
        add();
        send(RegistrationType::removeClient);
        now += 1ms;
    }
    EXPECT_EQ(registry.removals(), 1U);
    now += rules.removalMemory;
    Staging staging(registry);
    staging.forgetOldRemovals(now, 1);
    EXPECT_EQ(staging.size(), 1U) << "the one true removal is found at once";
}

}  // namespace
}  // namespace crnpd::registry
