// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Who is sent what, and when: hears what was committed, hands out errands, and is told how they ended.
//
// Promise    Each client gets what EventLog says, in order, one errand at a time; none while its gate is
//            shut, while it waits for its next attempt, or after it left.
// Lanes      `quick` for clients whose last attempt went well; `doubtful`, with fewer places, for those whose
//            last one failed. An attempt that takes longer than `stallAfter` gives its quick place back and
//            goes on beside both; when too many do at once, further ones are recalled and start again in
//            their turn among the doubtful (the client may then get an event twice). Round robin within a
//            lane.
// Memory     An idle client takes a Client and 5 to 11 bytes of table. All else is kept only of clients
//            that have something to get, or whose reply was not written when it was last looked.
// Threads    One at a time. No sockets; the Ledger must call `done` on the same thread.
// Errors     std::bad_alloc, after which the object can only be destroyed or started anew.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/committed.h"
#include "server/delivery/event_log.h"
#include "server/delivery/ledger.h"
#include "server/delivery/progress.h"
#include "server/delivery/retry_schedule.h"

namespace crnpd::delivery {

struct DispatchRules {
    RetryRules retry;
    std::size_t queueEvents = 10'000;                    // [limits] queue_events
    std::size_t logEvents = 1'000'000;                   // events that are kept for whoever is behind
    std::size_t bytesPerQueuedEvent = 4'096;             // of the log for each of queueEvents,
    std::size_t leastLogBytes = std::size_t{64} << 20U;  // but no less than this
    std::size_t mostKinds = 100'000;                     // see CurrentState
    std::size_t mostLaggards = 1'000;                    // in the mark that is stored
    std::size_t mostReleased = 1'000;                    // in one Ledger::keep()
    std::size_t quickPlaces = 256;
    std::size_t doubtfulPlaces = 64;
    std::size_t stalledPlaces = 1'024;  // those that began as quick ones
    std::chrono::milliseconds stallAfter{200};
    std::chrono::milliseconds keepEvery{1'000};
    std::chrono::milliseconds tryAgainAfter{1'000};  // what the ledger could not do
};

// An attempt, by a number that is never used again.
using Ticket = std::uint64_t;

struct Errand {
    Ticket ticket = 0;
    RecordId client = 0;
    CallbackAddress to;
    IpAddress via;
    NumberedEvent event;
};

class Dispatcher {
public:
    // Makes what a gate calls when it opens, on any thread: gateOpened(client) must follow on the
    // dispatcher's.
    using CallOnOpening = std::function<std::function<void()>(RecordId client)>;

    // `recall`: the errand is not wanted any more, and is not to be reported.
    Dispatcher(const Clock& clock, const DispatchRules& rules, Ledger& ledger,
               std::function<void(Ticket)> recall, CallOnOpening callOnOpening);
    ~Dispatcher();
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;

    // Begins with these rows, whatever was known before.
    void start(const Snapshot& rows);
    void hear(const Committed& committed);
    void gateOpened(RecordId client);
    void apply(const DispatchRules& rules) { rules_ = rules; }

    // What to do now, if anything.
    [[nodiscard]] std::optional<Errand> take();
    // How it ended, once for each errand that was taken and not recalled.
    void delivered(Ticket ticket);
    void failed(Ticket ticket, std::string_view why);
    // It was not begun, and that is not the client's fault.
    void postponed(Ticket ticket);

    // What the time brings; to be called no later than wakeAt().
    void tick();
    [[nodiscard]] std::optional<SteadyTime> wakeAt() const;

    [[nodiscard]] std::optional<ClientProgress> progress(const CallbackAddress& address) const;
    [[nodiscard]] EventsProgress events(std::size_t most) const;
    [[nodiscard]] std::size_t underWay() const noexcept { return underWay_.size(); }
    [[nodiscard]] std::size_t clients() const noexcept { return table_.clients.used(); }

private:
    // Nothing waits for the third one: what stalls moves there.
    enum class Lane : std::uint8_t { quick, doubtful, stalled };
    enum class State : std::uint8_t {
        idle,  // on its way to one of the others
        gated,
        waiting,  // for its next attempt
        queued,
        underWay,
        leaving,        // the ledger was asked to remove it
        removingLater,  // and could not
    };
    struct Client {
        RecordId id = 0;
        CallbackAddress address;
        std::uint16_t via = 0;
        bool doubtful = false;
    };
    // What only few clients have.
    struct Trouble {
        std::size_t collapsedTo = 0;
        std::vector<TriedAttempt> tried;
    };
    // Of a client that has something to get, or one of whose gates is shut.
    struct Active {
        State state = State::idle;
        Lane lane = Lane::quick;
        RetrySchedule schedule;
        RetrySchedule before;  // as it was before the errand that is under way
        Ticket ticket = 0;     // of what it waits for: its place in a queue, an errand, a removal
        SteadyTime since{};    // since when it is under way, or until when it waits
        Sequence sequence = 0;
        std::vector<std::shared_ptr<ReplyGate>> gates;  // shut when they came
        std::unique_ptr<Trouble> trouble;
    };
    struct Place {
        ClientIndex client = 0;
        Ticket ticket = 0;
    };
    struct LaneState {
        std::deque<Place> queue;  // those with an old ticket do not count
        std::size_t used = 0;
    };
    // What is to be said of a client when it was removed.
    struct GivenUp {
        RecordId id = 0;
        CallbackAddress address;
        unsigned failures = 0;
        std::string why;
    };
    struct ClientTable {
        Slots<Client> clients;
        SlotTable byId;
        std::vector<IpAddress> vias{IpAddress{}};
        ClientIndex end = 0;
    };

    // Who is registered.
    [[nodiscard]] ClientIndex find(RecordId id) const;
    ClientIndex enroll(const ClientRecord& record);
    void update(ClientIndex client, const ClientRecord& record);
    [[nodiscard]] std::uint16_t viaOf(const IpAddress& address);

    // What was committed.
    void hear(const EventPublished& published);
    void hear(const ClientChanged& changed);
    void hear(const ClientLeft& left);
    void joined(ClientIndex client, const ClientRecord& record,
                const std::vector<EventRegistration>& registrations);
    void limitQueues(const std::vector<ClientIndex>& wantedBy);
    void limitLog();
    // Clients, each with an event of the state that it is owed.
    using Owed = std::vector<std::pair<ClientIndex, Sequence>>;
    void oweState(const NumberedEvent& notice);
    void oweState(Sequence notice, Owed& owed);
    void collapse(ClientIndex client);
    void countWanted(const std::vector<Sequence>& initial);

    // Starting anew.
    void forgetAll();
    using Gates = std::vector<std::pair<RecordId, std::shared_ptr<ReplyGate>>>;
    [[nodiscard]] Gates allGates() const;
    void waitForGates(const Gates& gates, std::vector<ClientIndex>& behind);
    void appendNewer(const std::vector<NumberedEvent>& events, std::vector<ClientIndex>& behind);
    struct StoredEvents {
        CurrentState state;                // as of all of them
        std::vector<NumberedEvent> older;  // up to the stored mark
        std::vector<NumberedEvent> newer;
        NumberedEvent notice;  // the latest that events may have been missed, if any
    };
    [[nodiscard]] StoredEvents readEvents(const Snapshot& rows) const;
    static void logMissed(const NumberedEvent& notice, std::size_t clients);
    void readClients(const Snapshot& rows, const StoredEvents& events, std::vector<ClientIndex>& behind);

    // One client's way.
    [[nodiscard]] Wants wantsOf(ClientIndex client) const;
    void look(ClientIndex client);
    [[nodiscard]] bool isHeldBack(ClientIndex client, Active& active);
    void forgetOpened();
    void queue(ClientIndex client, Active& active);
    void waitUntil(ClientIndex client, Active& active, SteadyTime time);
    void withdraw(ClientIndex client, Active& active);
    // Its gates stay.
    void dismiss(ClientIndex client);
    [[nodiscard]] std::optional<Errand> takeFrom(Lane which);
    Errand begin(ClientIndex client, Active& active, Lane which, NumberedEvent event);
    [[nodiscard]] std::optional<ClientIndex> end(Ticket ticket);
    void note(ClientIndex client, Active& active, std::string_view result);
    void giveUp(ClientIndex client, Active& active);
    [[nodiscard]] GivenUp givenUp(ClientIndex client) const;
    [[nodiscard]] std::vector<GivenUp> allGivenUp() const;
    static void logRemoved(const GivenUp& client);
    void onRemoval(ClientIndex client, Ticket ticket, Ledger::Removal outcome);

    // What the time brings.
    void onDue(SteadyTime now);
    void onStalled(SteadyTime now);
    void keep(SteadyTime now);
    void onKept(std::uint64_t epoch, const MarkRecord& mark, const std::vector<Sequence>& released,
                bool kept);
    [[nodiscard]] MarkRecord markToKeep() const;
    [[nodiscard]] LaneState& lane(Lane which) { return lanes_[static_cast<std::size_t>(which)]; }

    const Clock& clock_;
    DispatchRules rules_;
    Ledger& ledger_;
    std::function<void(Ticket)> recall_;
    CallOnOpening callOnOpening_;

    ClientTable table_;
    Matching matching_;
    std::unique_ptr<EventLog> log_;
    std::unordered_map<ClientIndex, Active> active_;
    std::deque<std::pair<ClientIndex, std::shared_ptr<ReplyGate>>> shut_;  // perhaps open meanwhile
    std::unordered_map<Ticket, ClientIndex> underWay_;
    std::array<LaneState, 3> lanes_;
    std::set<std::pair<SteadyTime, ClientIndex>> later_;
    std::deque<std::pair<SteadyTime, Place>> young_;  // quick ones, by when they began
    Ticket lastTicket_ = 0;

    std::deque<EventProgress> history_;
    std::vector<Sequence> released_;
    std::size_t eventsSinceKeep_ = 0;
    bool changed_ = false;
    bool keeping_ = false;
    NewsNumber heard_ = 0;
    std::uint64_t epoch_ = 0;  // how often all began anew
    SteadyTime keepAt_{};
    MarkRecord kept_;
};

}  // namespace crnpd::delivery
