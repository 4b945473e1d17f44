// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// How far every client is, which events somebody still needs, and where a new leader goes on (section 7 of
// docs/protocol.md).
//
// Promise    Each client gets every event that it wants and that was appended while it was registered, in
//            their order, at least once, also across failovers; or, after a collapse, the current ones of
//            them. Before that it gets the state that it is owed.
// Sequence   Events and the messages that owe a client the current state (ADD_CLIENT, ADD_EVENTS) are
//            numbered together by the committer. So one number says how far a client is in both. The notice
//            that events may have been missed owes all clients the state, and is an event itself.
// Positions  A client has everything up to its position. One that wants nothing that is in the log has the
//            head's and takes no memory here; another has its own, and looks for its next event in the log
//            by what it wants now. What it is owed of the state goes before that and is all older, so a
//            client's events ascend until it adds events again.
// Stored     Client rows: `joined`, the number of the last ADD_CLIENT, and `added`, that of the last
//            ADD_CLIENT or ADD_EVENTS. Event rows: committed events but those that release() named. The Mark,
//            which may be old: then a new leader delivers more twice, and skips nothing.
// Threads    One at a time. No I/O, no clock.
// Errors     std::bad_alloc, after which the object can only be destroyed.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/record.h"
#include "server/delivery/current_state.h"
#include "server/delivery/matching.h"
#include "server/delivery/positions.h"

namespace crnpd::delivery {

// Everybody has everything up to `upTo`, but these.
struct Mark {
    struct Laggard {
        ClientIndex client = 0;  // stored as its RecordId
        Sequence position = 0;   // below upTo

        friend bool operator==(const Laggard&, const Laggard&) = default;
    };

    Sequence upTo = 0;
    std::vector<Laggard> laggards;  // sorted by client

    friend bool operator==(const Mark&, const Mark&) = default;
};

// Where a client goes on under a new leader. `stored` is its position as a laggard of the stored mark, else
// that mark's upTo; `joined` and `added` stand in its row.
struct Resumption {
    Sequence position = 0;
    bool owesState = false;

    friend bool operator==(const Resumption&, const Resumption&) = default;
};
[[nodiscard]] constexpr Resumption resumption(Sequence stored, Sequence joined, Sequence added) noexcept {
    return {stored < joined ? joined : stored, stored < added};
}

class EventLog {
public:
    // `older`: the event rows up to `upTo` of the stored mark, ascending. `mostKinds`: see CurrentState. A
    // new leader then calls resume() for the clients that need it, append() for the newer rows, and reach().
    EventLog(std::size_t mostKinds, Sequence upTo, std::vector<NumberedEvent> older);

    // A committed event; `wantedBy` is what Matching::match() says, each client once. It is part of the
    // current state at once; what is returned was forgotten of that for want of room.
    std::optional<Sequence> append(NumberedEvent event, std::span<const ClientIndex> wantedBy);

    // A committed ADD_CLIENT with the number `at`: the client begins anew with `initial`, which is what
    // CurrentState::wanted() says now. An attempt that is under way is not reported any more.
    void join(ClientIndex client, Sequence at, const std::vector<Sequence>& initial);
    // A committed ADD_EVENTS, or a notice that events may have been missed, once that was appended. What of
    // `initial` comes by itself, or is owed already, is left out here; the rest is returned.
    std::vector<Sequence> add(ClientIndex client, Sequence at, const std::vector<Sequence>& initial);
    // Under a new leader, for each laggard, each client whose `joined` or `added` is above `stored`, and each
    // that is not as far as the latest notice that events may have been missed, unless there is nothing that
    // it is owed. `initial` is what CurrentState::wanted() says if it owes state, else nothing.
    void resume(ClientIndex client, Sequence stored, Resumption from, const std::vector<Sequence>& initial);
    // Under a new leader, when all rows are appended: the last number that was ever given.
    void reach(Sequence head);
    // Removed, by its own message or by us. Its number may be given to another client.
    void leave(ClientIndex client);

    // What the client is to be sent now; nothing for one that has everything. Ask again after each
    // delivered(): only this moves a client on over events that it does not want.
    [[nodiscard]] std::optional<NumberedEvent> next(ClientIndex client, const Wants& wants);
    // What next() said was delivered.
    void delivered(ClientIndex client, Sequence sequence);

    // About how many events wait for the client: not those from before a failover, and more or fewer where
    // its registrations changed meanwhile. What `[limits] queue_events` bounds.
    [[nodiscard]] std::size_t waiting(ClientIndex client) const;
    // Perhaps there is something for it; next() tells.
    [[nodiscard]] bool isBehind(ClientIndex client) const { return behind_.contains(client); }
    // Instead of what waits for it the client will get what is current of it.
    void collapse(ClientIndex client, const Wants& wants);
    // What is in the log, the bytes about.
    [[nodiscard]] std::size_t events() const noexcept { return log_.size(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    // For whom more than so much is kept: once they were collapsed, release() leaves no more.
    [[nodiscard]] std::vector<ClientIndex> slowest(std::size_t mostEvents, std::size_t mostBytes) const;

    [[nodiscard]] Sequence head() const noexcept { return head_; }
    [[nodiscard]] Sequence position(ClientIndex client) const;
    [[nodiscard]] const CurrentState& state() const noexcept { return state_; }
    // Clients that do not have everything.
    [[nodiscard]] std::size_t behind() const noexcept { return behind_.size(); }

    // What may be stored: the highest mark with at most so many laggards. Looks at no more of those behind.
    [[nodiscard]] Mark mark(std::size_t mostLaggards) const;

    // Event rows that may be deleted: everybody has them, and they are current no more. Each is named once.
    // The mark need not have been stored before.
    [[nodiscard]] std::vector<Sequence> release();

private:
    struct Behind {
        Sequence position = 0;
        Sequence owedFrom = 0;       // what may be stored as the position while state is owed
        std::vector<Sequence> owed;  // descending: the next one is the last; all at or below position
        std::size_t waiting = 0;
        Positions::Place place = 0;          // in positions_
        Positions::Place storablePlace = 0;  // in storable_
    };
    using Clients = std::unordered_map<ClientIndex, Behind>;

    std::optional<CurrentState::Dropped> remember(NumberedEvent event);
    Clients::iterator behindOf(ClientIndex client, Sequence position);
    std::vector<Sequence> owe(Clients::iterator client, Sequence from, const std::vector<Sequence>& initial);
    void move(Clients::iterator client, Sequence position);
    template <typename Change>
    void change(Clients::iterator client, const Change& what);
    void leavePosition(Sequence position, Positions::Place place);
    void leaveStorable(Sequence position, Positions::Place place);
    void forget(Clients::iterator client);
    [[nodiscard]] std::deque<NumberedEvent>::const_iterator after(Sequence position) const;
    [[nodiscard]] Sequence lowest() const;
    [[nodiscard]] static Sequence storable(const Behind& behind);

    CurrentState state_;
    Sequence head_;
    std::deque<NumberedEvent> log_;    // ascending
    std::size_t bytes_ = 0;            // of the log
    std::set<Sequence> kept_;          // left the log, but are current
    std::vector<Sequence> deletable_;  // left the log and are current no more
    Clients behind_;
    Positions positions_;  // of those behind
    Positions storable_;   // what may be stored of those behind
};

}  // namespace crnpd::delivery
