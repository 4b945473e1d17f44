// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Which clients want an event (section 6 of docs/protocol.md, "Matching"), without asking each of them.
//
// How        Clients that registered for the same stand in one list, a pattern. Patterns are grouped by their
//            class and subclass (or its absence) and one of their pairs, their anchor; an event is looked up
//            under its class with and without subclass, and with each of its pairs. A pattern with
//            several pairs has as anchor the one that fewest others have, and is compared in full.
// Promise    The same as asksFor() of common/message.h over all registrations of all clients, and each client
//            once, however many of its registrations match.
// Cost       match(): a look-up for each pair of the event, and what is found. set() and remove(): a few
//            look-ups for each registration. A set() that makes a table larger takes some 50 ms at a million
//            clients.
// Memory     At a million clients (micro_bench, matchOneOfMany): 125 bytes a client that has one registration
//            for a name of its own, 225 if a second pair stands in it, 30 for a registration that many share.
// Threads    One: whoever delivers. No I/O.
// Errors     std::bad_alloc, after which the object can only be destroyed.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "common/message.h"
#include "server/delivery/interned.h"
#include "server/delivery/slot_table.h"
#include "server/delivery/slots.h"
#include "server/delivery/small_list.h"

namespace crnpd::delivery {

// A client as those who deliver call it: small numbers without large gaps, because arrays are kept over them.
using ClientIndex = std::uint32_t;

class Matching {
public:
    // Before the first set(): so many clients are about to come. Saves making tables larger time and again.
    void reserve(std::size_t clients);

    // All that the client is registered for, instead of what it was before.
    void set(ClientIndex client, std::span<const EventRegistration> registrations);
    // Nothing happens if it is not registered. Its number may then be given to another client.
    void remove(ClientIndex client);

    // Appends whoever wants the event, in no order.
    void match(const Event& event, std::vector<ClientIndex>& clients);
    // Whether this one wants it.
    [[nodiscard]] bool wants(ClientIndex client, const Event& event) const;

    // Different registrations at the moment.
    [[nodiscard]] std::size_t patterns() const noexcept;
    // Nothing is kept of clients that are gone.
    [[nodiscard]] bool isEmpty() const noexcept;

private:
    using TypeId = std::uint32_t;
    using PairId = std::uint32_t;
    // A group, as the pattern of its anchor alone, or a compound one; see isCompound().
    using PatternId = std::uint32_t;

    struct Group {
        TypeId type = noSlot;
        PairId anchor = noSlot;                // noSlot: no pairs
        SmallList<ClientIndex> clients;        // who wants this and nothing more
        std::uint32_t firstCompound = noSlot;  // patterns with this anchor and further pairs
        std::uint32_t compounds = 0;
    };
    struct Compound {
        std::uint32_t group = noSlot;
        std::uint32_t next = noSlot;
        std::uint32_t previous = noSlot;
        std::vector<PairId> pairs;  // all, the anchor too; sorted
        SmallList<ClientIndex> clients;
    };
    struct Link {
        PatternId pattern;
        std::uint32_t position;  // of the client in the pattern's list
    };
    struct Client {
        SmallList<Link> links;  // sorted by pattern
        std::uint32_t lastMatch = 0;
    };
    // An event in the numbers that patterns are made of; what no pattern has is left out.
    struct Seen {
        TypeId exact = noSlot;        // class and subclass
        TypeId anySubclass = noSlot;  // class alone
        std::vector<PairId> pairs;    // sorted
    };

    static constexpr PatternId compoundMark = 0x80000000;
    static bool isCompound(PatternId pattern) noexcept { return (pattern & compoundMark) != 0; }
    [[nodiscard]] const Compound& compound(PatternId pattern) const {
        return compounds_[pattern & ~compoundMark];
    }

    PatternId patternOf(const EventRegistration& registration);
    std::uint32_t groupOf(TypeId type, PairId anchor);
    PatternId compoundOf(TypeId type, const std::vector<PairId>& pairs);
    [[nodiscard]] PairId rarest(TypeId type, const std::vector<PairId>& pairs) const;
    [[nodiscard]] std::uint32_t findGroup(TypeId type, PairId anchor) const;
    [[nodiscard]] std::size_t hashOfGroup(std::uint32_t group) const;
    [[nodiscard]] std::size_t hashOfCompound(std::uint32_t compound) const;

    SmallList<ClientIndex>& clientsOf(PatternId pattern);
    void unlink(Link link);
    void dropUnused(PatternId pattern);
    void dropCompound(std::uint32_t number);
    void dropUnusedGroup(std::uint32_t number);

    [[nodiscard]] Seen see(const Event& event) const;
    [[nodiscard]] bool fits(PatternId pattern, const Seen& seen) const;
    void collect(const SmallList<ClientIndex>& from, std::vector<ClientIndex>& clients);
    void collectGroup(std::uint32_t group, const Seen& seen, std::vector<ClientIndex>& clients);

    Interned types_;
    Interned pairs_;
    Slots<Group> groups_;
    SlotTable groupTable_;
    Slots<Compound> compounds_;
    SlotTable compoundTable_;
    std::deque<Client> clients_;
    std::uint32_t lastMatch_ = 0;
};

}  // namespace crnpd::delivery
