// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Numbers, what is told to those who deliver, and what they and the publishers change.
#include <utility>

#include <gtest/gtest.h>

#include "common/event_codec.h"
#include "common/registration_codec.h"
#include "server/registry/registry.h"

namespace crnpd::registry {
namespace {

using How = ClientChanged::How;
using Type = RegistrationType;

constexpr WallTime noon{std::chrono::milliseconds{1'700'000'000'000}};
const IpAddress here = IpAddress::parse("192.0.2.10").value();
const IpAddress there = IpAddress::parse("192.0.2.11").value();

CallbackAddress client(std::uint16_t port) {
    return {*IpAddress::parse("192.0.2.1"), port};
}
std::string stored(const std::string& eventClass) {
    return encodeRegistrations(std::vector<EventRegistration>{{eventClass, {}, {}}});
}
std::shared_ptr<const Event> someEvent() {
    return std::make_shared<const Event>(Event{"A", "S", "V", "P", {}});
}

class NumbersTest : public testing::Test {
protected:
    // Each decides one thing on a layer of its own and commits it.
    Decision send(Type type, const std::string& eventClass, const IpAddress& via = here,
                  std::shared_ptr<ReplyGate> gate = nullptr) {
        return commit([&](Staging& staging) {
            return staging.decide({client(1), type, {{eventClass, {}, {}}}, via, std::move(gate)}, noon);
        });
    }
    Sequence publish() {
        return commit([](Staging& staging) {
                   const auto event = someEvent();
                   return staging.publish(event, encodeEvent(*event), std::nullopt);
               })
            .sequence;
    }
    StatusCode evict(NewsNumber heard) {
        return commit([&](Staging& staging) { return staging.evict(client(1), heard, noon); }).reply.code;
    }
    // What a layer says of an eviction by somebody who has heard all that was told before.
    StatusCode evictAfter(Type type, const std::string& eventClass) {
        Staging staging(registry);
        staging.decide({client(1), type, {{eventClass, {}, {}}}, here}, noon);
        return staging.evict(client(1), told_, noon).reply.code;
    }
    Decision commit(const std::function<Decision(Staging&)>& act) {
        Staging staging(registry);
        auto decision = act(staging);
        changes = staging.changes();
        adopt(registry, std::move(staging));
        if (decision.told) registry.number(*decision.told);
        if (const auto* changed = decision.told ? std::get_if<ClientChanged>(&*decision.told) : nullptr)
            told_ = changed->number;
        return decision;
    }
    ClientChanged told(const Decision& decision) { return std::get<ClientChanged>(decision.told.value()); }
    const Entry& entry() { return *registry.client(client(1)); }

    Registry registry{{}};
    std::vector<Change> changes;
    NewsNumber told_ = 0;
};

TEST_F(NumbersTest, AscendAcrossMessagesAndEvents) {
    send(Type::addClient, "A");
    EXPECT_EQ(publish(), 2U);
    send(Type::addEvents, "B");
    EXPECT_EQ(publish(), 4U);
    EXPECT_EQ(entry().joined, 1U);
    EXPECT_EQ(entry().added, 3U);
}

TEST_F(NumbersTest, AreNotGivenToWhatOwesNothing) {
    send(Type::addClient, "A");
    send(Type::addEvents, "A");
    send(Type::removeEvents, "A");
    send(Type::removeClient, "A");
    EXPECT_EQ(registry.last(), 1U);
}

TEST_F(NumbersTest, GoOnAboveWhateverAStoreHolds) {
    Snapshot rows;
    rows.last = 5;
    registry.load(rows);
    EXPECT_EQ(publish(), 6U);
    rows.clients = {{1, client(1), stored("A"), here, 3, 8}};
    registry.load(rows);
    EXPECT_EQ(publish(), 9U);
    rows.events = {{11, encodeEvent(*someEvent())}};
    registry.load(rows);
    EXPECT_EQ(publish(), 12U);
    rows.mark.upTo = 20;
    registry.load(rows);
    EXPECT_EQ(publish(), 21U);
}

TEST_F(NumbersTest, OfALayerThatWasDroppedAreGivenAgain) {
    {
        Staging dropped(registry);
        EXPECT_EQ(dropped.publish(someEvent(), "", std::nullopt).sequence, 1U);
        EXPECT_EQ(dropped.publish(someEvent(), "", std::nullopt).sequence, 2U);
    }
    EXPECT_EQ(publish(), 1U);
}

TEST_F(NumbersTest, OfAClientAreInItsRowAndInASnapshot) {
    send(Type::addClient, "A");
    send(Type::addEvents, "A");
    const ClientRecord row{1, client(1), stored("A"), here, 1, 1};
    EXPECT_EQ(registry.snapshot().clients, std::vector{row});
    EXPECT_EQ(registry.snapshot().last, 1U);
}

TEST_F(NumbersTest, EachMessageIsToldAsWhatItIs) {
    EXPECT_EQ(told(send(Type::addClient, "A")).how, How::joined);
    const auto added = told(send(Type::addEvents, "B"));
    EXPECT_EQ(added.how, How::added);
    EXPECT_EQ(added.before, stored("A"));
    EXPECT_EQ(added.record.added, 2U);
    EXPECT_EQ(told(send(Type::addEvents, "B")).how, How::heard);
    EXPECT_EQ(told(send(Type::removeEvents, "B")).how, How::reduced);
    EXPECT_EQ(told(send(Type::removeEvents, "B")).how, How::heard);
    EXPECT_EQ(told(send(Type::addClient, "A")).how, How::joined);
    EXPECT_EQ(std::get<ClientLeft>(*send(Type::removeClient, "A").told).client, client(1));
}

TEST_F(NumbersTest, ARefusalAndTheRepetitionOfARemovalAreNotTold) {
    EXPECT_FALSE(send(Type::addEvents, "A").told);
    send(Type::addClient, "A");
    send(Type::removeClient, "A");
    EXPECT_FALSE(send(Type::removeClient, "A").told);
}

TEST_F(NumbersTest, WhatIsToldHasTheGateOfItsMessage) {
    const auto gate = std::make_shared<ReplyGate>();
    EXPECT_EQ(told(send(Type::addClient, "A", here, gate)).gate, gate);
    EXPECT_EQ(told(send(Type::addEvents, "A", here, gate)).gate, gate);
}

TEST_F(NumbersTest, AMessageToAnotherAddressOfOursIsCommittedEvenIfItChangesNothingElse) {
    send(Type::addClient, "A");
    const auto moved = send(Type::addEvents, "A", there);
    EXPECT_TRUE(moved.provisional);
    EXPECT_EQ(told(moved).how, How::heard);
    EXPECT_EQ(changes, (std::vector<Change>{ClientRecord{1, client(1), stored("A"), there, 1, 1}}));
    EXPECT_FALSE(send(Type::addEvents, "A", there).provisional);
    EXPECT_EQ(registry.via(entry()), there);
}

TEST_F(NumbersTest, WhereNobodyKnowsToWhichAddressItCameTheOldOneStays) {
    send(Type::addClient, "A");
    send(Type::addEvents, "B", IpAddress{});
    EXPECT_EQ(registry.via(entry()), here);
}

TEST_F(NumbersTest, AClientThatDidNotSpeakSinceIsEvictedAndRemembered) {
    send(Type::addClient, "A");
    send(Type::addEvents, "B");
    EXPECT_EQ(evict(2), StatusCode::ok);
    EXPECT_EQ(changes, (std::vector<Change>{RemovalRecord{1, client(1), noon}}));
    EXPECT_EQ(registry.clients(), 0U);
    EXPECT_EQ(send(Type::removeClient, "A").reply.code, StatusCode::ok);
}

TEST_F(NumbersTest, AClientThatSpokeSinceIsNotEvictedWhateverItSaid) {
    send(Type::addClient, "A");
    for (const auto& [type, eventClass] : {std::pair{Type::addEvents, "B"},
                                           {Type::addEvents, "B"},
                                           {Type::removeEvents, "B"},
                                           {Type::removeEvents, "B"},
                                           {Type::addClient, "A"}}) {
        const NewsNumber before = told_;
        send(type, eventClass);
        EXPECT_EQ(evict(before), StatusCode::fail) << name(type);
        EXPECT_TRUE(changes.empty());
    }
    EXPECT_EQ(evict(told_), StatusCode::ok);
}

TEST_F(NumbersTest, WhoSpeaksInTheSameLayerIsNotEvicted) {
    send(Type::addClient, "A");
    for (const auto type : {Type::addEvents, Type::removeEvents, Type::addClient}) {
        EXPECT_EQ(evictAfter(type, "A"), StatusCode::fail) << name(type);
        EXPECT_EQ(evictAfter(type, "C"), StatusCode::fail) << name(type);
    }
    EXPECT_EQ(evict(told_), StatusCode::ok) << "none of that was committed or told";
}

TEST_F(NumbersTest, WhatOthersSayDoesNotKeepAClient) {
    send(Type::addClient, "A");
    commit([](Staging& staging) {
        return staging.decide({client(2), Type::addClient, {{"A", {}, {}}}, here}, noon);
    });
    EXPECT_EQ(evict(1), StatusCode::ok);
}

TEST_F(NumbersTest, ARemovalThatWasAskedForBeforeAReloadIsVoid) {
    send(Type::addClient, "A");
    registry.load(registry.snapshot());
    Committed reloaded = AllReloaded{};
    registry.number(reloaded);
    EXPECT_EQ(evict(told_), StatusCode::fail);
    EXPECT_EQ(evict(std::get<AllReloaded>(reloaded).number), StatusCode::ok);
}

TEST_F(NumbersTest, NobodyIsEvictedTwice) {
    send(Type::addClient, "A");
    EXPECT_EQ(evict(told_), StatusCode::ok);
    EXPECT_EQ(evict(told_), StatusCode::fail) << "the memory of a removal is no client";
}

TEST_F(NumbersTest, AnEvictionIsToldAsSuchAndAFarewellIsNot) {
    const auto left = [](const Decision& decision) { return std::get<ClientLeft>(decision.told.value()); };
    send(Type::addClient, "A");
    EXPECT_FALSE(left(send(Type::removeClient, "A")).evicted);
    send(Type::addClient, "A");
    EXPECT_TRUE(
        left(commit([&](Staging& staging) { return staging.evict(client(1), told_, noon); })).evicted);
}

TEST_F(NumbersTest, AnEventThatWasPostedIsCommittedTogetherWithItsAnswer) {
    Staging staging(registry);
    const auto sequence = staging.publish(someEvent(), "the event", "post 7").sequence;
    EXPECT_EQ(staging.events().published, (std::vector<EventRecord>{{sequence, "the event"}}));
    EXPECT_EQ(staging.events().answered, (std::vector<PostedAnswer>{{"post 7", sequence}}));
    EXPECT_EQ(staging.size(), 2U);
    EXPECT_GE(staging.bytes(), 9U);
}

TEST_F(NumbersTest, WhatTheDeliveryKeepsCountsAsOperations) {
    Staging staging(registry);
    staging.keep(MarkRecord{3, {{1, 2}}}, {1, 2});
    EXPECT_EQ(staging.size(), 3U);
    staging.keep(MarkRecord{5, {}}, {4});
    EXPECT_EQ(staging.events().mark, (MarkRecord{5, {}})) << "the later one";
    EXPECT_EQ(staging.events().released, (std::vector<Sequence>{1, 2, 4}));
    EXPECT_EQ(staging.size(), 4U);
}

}  // namespace
}  // namespace crnpd::registry
