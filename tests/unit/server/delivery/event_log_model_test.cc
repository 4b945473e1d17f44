// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The log and the matching as whoever delivers uses them, with everything that can happen in any order,
// against what each client has to get: P5 of the properties (in order, at least once, none skipped, also
// across failovers; after a collapse the current state). The seed is the schedule.
#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "common/missed_events.h"
#include "server/delivery/event_log.h"
#include "server/delivery/matching.h"

namespace crnpd::delivery {
namespace {

constexpr ClientIndex clientCount = 5;
constexpr std::size_t mostKinds = 1000;

using Registrations = std::vector<EventRegistration>;

bool asksForAny(const Registrations& registrations, const Event& event) {
    return std::any_of(registrations.begin(), registrations.end(),
                       [&](const auto& registration) { return asksFor(registration, event); });
}

// What a client must have got in the end, by the definition alone.
struct Expectation {
    std::set<Sequence> due;
    std::set<Sequence> asState;  // of those: only if it is still current
    // Since the last occasion after which older ones may come; what was under way then does not count.
    Sequence lastDelivered = 0;
    Sequence underWayThen = 0;
};

// What outlives a crash.
struct Row {
    Registrations registrations;
    Sequence joined = 0;
    Sequence added = 0;
};

class Model {
public:
    explicit Model(unsigned seed) : random_(seed), log_(std::make_unique<EventLog>(mostKinds, 0, Rows{})) {}

    void step() {
        const ClientIndex client = below(clientCount);
        switch (below(20)) {
            case 0:
                return join(client);
            case 1:
                return addEvents(client);
            case 2:
                return removeEvents(client);
            case 3:
                return below(3) == 0 ? leave(client) : below(4) == 0 ? tellMissed() : void();
            case 4:
                return collapse(client);
            case 5:
                return storeMark();
            case 6:
                return deleteRows();
            case 7:
                return below(3) == 0 ? crash() : void();
            default:
                return below(3) == 0 ? publish() : attempt(client);
        }
    }

    void finish() {
        for (ClientIndex client = 0; client < clientCount; ++client) {
            finishAttempt(client);
            while (startAttempt(client))
                finishAttempt(client);
            ASSERT_TRUE(expected_[client].due.empty())
                << "client " << client << " never got event " << *expected_[client].due.begin();
        }
        storeMark();
        deleteRows();
        ASSERT_EQ(stored_, (Mark{log_->head(), {}}));
        for (const auto& [sequence, event] : events_)
            ASSERT_EQ(sequence, current_[kindOf(*event)]) << "a row that nobody needs is kept";
    }

    std::size_t deliveries = 0;
    std::size_t repeated = 0;
    std::size_t collapses = 0;
    std::size_t crashes = 0;
    std::size_t notices = 0;

private:
    using Rows = std::vector<NumberedEvent>;

    unsigned below(unsigned limit) { return std::uniform_int_distribution<unsigned>(0, limit - 1)(random_); }

    Event event() {
        Event event{"EC_Cluster", "ESC_cluster_rg_state", "v", "p", {}};
        if (below(4) == 0) event.subclass = "ESC_cluster_membership";
        event.pairs.push_back({"rg_name", {std::to_string(below(3))}});
        event.pairs.push_back({"x", {std::to_string(below(2))}});
        return event;
    }
    static std::string kindOf(const Event& event) {
        const bool isGroup = event.subclass == "ESC_cluster_rg_state";
        return event.subclass + (isGroup ? event.pairs[0].values[0] : "");
    }
    EventRegistration registration() {
        EventRegistration one{"EC_Cluster", std::nullopt, {}};
        if (below(4) > 0) one.subclass = below(3) == 0 ? "ESC_cluster_membership" : "ESC_cluster_rg_state";
        if (below(2) == 0) one.pairs.push_back({"rg_name", {std::to_string(below(3))}});
        if (below(4) == 0) one.pairs.push_back({"x", {std::to_string(below(2))}});
        return one;
    }
    Wants wants(ClientIndex client) {
        return [this, client](const Event& event) { return matching_.wants(client, event); };
    }
    void registered(ClientIndex client, Registrations registrations) {
        rows_[client].registrations = std::move(registrations);
        matching_.set(client, rows_[client].registrations);
    }

    void publish() {
        const NumberedEvent next{++last_, std::make_shared<Event>(event())};
        Sequence& current = current_[kindOf(*next.event)];
        for (auto& [client, expected] : expected_) {
            if (expected.asState.erase(current) > 0) expected.due.erase(current);
        }
        current = next.sequence;
        for (const auto& [client, row] : rows_) {
            if (asksForAny(row.registrations, *next.event)) expected_[client].due.insert(next.sequence);
        }
        events_[next.sequence] = next.event;
        append(next);
    }
    // Everybody is owed what it would be owed if it asked for all of it now.
    void tellMissed() {
        const NumberedEvent notice{++last_, std::make_shared<Event>(missedEvents("p", "away"))};
        current_[kindOf(*notice.event)] = notice_ = notice.sequence;
        events_[notice.sequence] = notice.event;
        append(notice);
        for (const auto& [client, row] : rows_) {
            expectState(client, row.registrations, {});
            log_->add(client, last_, log_->state().wanted(row.registrations, {}));
        }
        ++notices;
    }
    void append(const NumberedEvent& event) {
        std::vector<ClientIndex> wantedBy;
        matching_.match(*event.event, wantedBy);
        EXPECT_FALSE(log_->append(event, wantedBy));
    }

    // The current state that `now` asks for and `before` did not becomes due.
    void expectState(ClientIndex client, const Registrations& now, const Registrations& before) {
        Expectation& expected = expected_[client];
        for (const auto& [kind, sequence] : current_) {
            const Event& event = *events_.at(sequence);
            if (!asksForAny(now, event) || asksForAny(before, event)) continue;
            if (expected.due.insert(sequence).second) expected.asState.insert(sequence);
        }
        expected.lastDelivered = 0;
        expected.underWayThen = underWay_.contains(client) ? underWay_[client].sequence : 0;
    }
    void join(ClientIndex client) {
        underWay_.erase(client);
        expected_[client] = {};
        rows_[client].joined = rows_[client].added = ++last_;
        registered(client, {registration(), registration()});
        expectState(client, rows_[client].registrations, {});
        log_->join(client, last_, log_->state().wanted(rows_[client].registrations, {}));
    }
    void addEvents(ClientIndex client) {
        if (!rows_.contains(client)) return;
        const Registrations before = rows_[client].registrations;
        const Registrations added{registration()};
        Registrations all = before;
        all.push_back(added.front());
        rows_[client].added = ++last_;
        expectState(client, added, before);
        registered(client, all);
        log_->add(client, last_, log_->state().wanted(added, before));
    }
    void removeEvents(ClientIndex client) {
        if (!rows_.contains(client) || rows_[client].registrations.empty()) return;
        Registrations fewer = rows_[client].registrations;
        fewer.pop_back();
        std::erase_if(expected_[client].due,
                      [&](Sequence sequence) { return !asksForAny(fewer, *events_.at(sequence)); });
        registered(client, fewer);
    }
    void leave(ClientIndex client) {
        underWay_.erase(client);
        expected_.erase(client);
        rows_.erase(client);
        matching_.remove(client);
        log_->leave(client);
    }
    void collapse(ClientIndex client) {
        if (!rows_.contains(client)) return;
        Expectation& expected = expected_[client];
        std::erase_if(expected.due, [&](Sequence sequence) {
            return current_.at(kindOf(*events_.at(sequence))) != sequence;
        });
        expected.asState = expected.due;
        log_->collapse(client, wants(client));
        ++collapses;
    }

    void attempt(ClientIndex client) {
        if (!underWay_.contains(client)) {
            startAttempt(client);
        } else if (below(4) == 0) {
            underWay_.erase(client);  // failed
        } else {
            finishAttempt(client);
        }
    }
    bool startAttempt(ClientIndex client) {
        const auto next = log_->next(client, wants(client));
        if (next) underWay_[client] = *next;
        return next.has_value();
    }
    void finishAttempt(ClientIndex client) {
        const auto found = underWay_.find(client);
        if (found == underWay_.end()) return;
        const Sequence sequence = found->second.sequence;
        Expectation& expected = expected_[client];
        EXPECT_GT(sequence, expected.lastDelivered) << "client " << client << " got an older event";
        if (std::exchange(expected.underWayThen, 0) != sequence) expected.lastDelivered = sequence;
        repeated += expected.due.erase(sequence) == 0 ? 1 : 0;
        expected.asState.erase(sequence);
        ++deliveries;
        log_->delivered(client, sequence);
        underWay_.erase(found);
    }

    void storeMark() { stored_ = log_->mark(below(3)); }
    void deleteRows() {
        for (const Sequence sequence : log_->release()) {
            ASSERT_EQ(events_.erase(sequence), 1U) << "named twice: " << sequence;
            for (const auto& [client, expected] : expected_)
                ASSERT_FALSE(expected.due.contains(sequence)) << sequence << " is still due to " << client;
        }
    }

    // A new leader has the rows and the mark, however old, and nothing else.
    void crash() {
        ++crashes;
        for (auto& [client, attempt] : underWay_) {
            if (below(2) == 0) expected_[client].due.erase(attempt.sequence);  // it arrived all the same
        }
        underWay_.clear();
        Rows older;
        Rows newer;
        for (const auto& [sequence, event] : events_)
            (sequence <= stored_.upTo ? older : newer).push_back({sequence, event});
        CurrentState state(mostKinds);
        for (const auto& [sequence, event] : events_)
            state.put({sequence, event});
        log_ = std::make_unique<EventLog>(mostKinds, stored_.upTo, older);
        for (const auto& [client, row] : rows_) {
            expected_[client].lastDelivered = 0;
            resume(client, row, state);
        }
        for (const auto& event : newer)
            append(event);
        log_->reach(last_);
    }
    void resume(ClientIndex client, const Row& row, const CurrentState& state) {
        Sequence stored = stored_.upTo;
        for (const auto& laggard : stored_.laggards) {
            if (laggard.client == client) stored = laggard.position;
        }
        Resumption from = resumption(stored, row.joined, row.added);
        from.owesState = from.owesState || from.position < notice_;
        if (stored == stored_.upTo && !from.owesState) return;
        const auto initial = from.owesState ? state.wanted(row.registrations, {}) : std::vector<Sequence>{};
        log_->resume(client, stored, from, initial);
    }

    std::mt19937 random_;
    Sequence last_ = 0;
    Sequence notice_ = 0;                                      // the latest
    std::map<Sequence, std::shared_ptr<const Event>> events_;  // rows
    std::map<std::string, Sequence> current_;
    std::map<ClientIndex, Row> rows_;
    Mark stored_;
    std::map<ClientIndex, Expectation> expected_;
    std::map<ClientIndex, NumberedEvent> underWay_;
    Matching matching_;
    std::unique_ptr<EventLog> log_;
};

TEST(EventLogModel, EveryClientGetsWhatItMustWhateverHappens) {
    std::size_t deliveries = 0;
    std::size_t repeated = 0;
    std::size_t collapses = 0;
    std::size_t crashes = 0;
    std::size_t notices = 0;
    for (unsigned seed = 0; seed < 1000; ++seed) {
        Model model(seed);
        for (int step = 0; step < 300; ++step)
            model.step();
        model.finish();
        ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
        deliveries += model.deliveries;
        repeated += model.repeated;
        collapses += model.collapses;
        crashes += model.crashes;
        notices += model.notices;
    }
    // Else the runs show nothing.
    EXPECT_GT(deliveries, 30000U);
    EXPECT_GT(repeated, 1000U);
    EXPECT_GT(collapses, 5000U);
    EXPECT_GT(crashes, 3000U);
    EXPECT_GT(notices, 1000U);
}

}  // namespace
}  // namespace crnpd::delivery
