// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A dispatcher with a clock, a ledger and news of the tests' own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/event_codec.h"
#include "common/missed_events.h"
#include "common/registration_codec.h"
#include "server/delivery/dispatcher.h"
#include "tests/support/manual_clock.h"

namespace crnpd::delivery {

class FakeLedger final : public Ledger {
public:
    struct Removing {
        CallbackAddress client;
        NewsNumber heard;
        std::function<void(Removal)> done;
    };
    struct Keeping {
        MarkRecord mark;
        std::vector<Sequence> released;
        std::function<void(bool)> done;
    };

    void remove(const CallbackAddress& client, NewsNumber heard, std::function<void(Removal)> done) override {
        removals.push_back({client, heard, std::move(done)});
    }
    void keep(MarkRecord mark, std::vector<Sequence> released, std::function<void(bool kept)> done) override {
        kept.push_back({std::move(mark), std::move(released), std::move(done)});
    }

    std::vector<Removing> removals;
    std::vector<Keeping> kept;
};

// Clients are called by their RecordId, which is their port too; each wants the groups it names.
inline CallbackAddress addressOf(RecordId id) {
    return {*IpAddress::parse("127.0.0.1"), static_cast<std::uint16_t>(id)};
}

inline std::vector<EventRegistration> groups(const std::vector<std::string>& names) {
    std::vector<EventRegistration> registrations;
    registrations.reserve(names.size());
    for (const auto& name : names)
        registrations.push_back({"EC_Cluster", "ESC_cluster_rg_state", {{"rg_name", {name}}}});
    return registrations;
}

inline std::shared_ptr<const Event> groupEvent(const std::string& name) {
    return std::make_shared<const Event>(
        Event{"EC_Cluster", "ESC_cluster_rg_state", "SUNW", "rgm", {{"rg_name", {name}}}});
}

inline ClientRecord recordOf(RecordId id, const std::vector<std::string>& names, Sequence at) {
    return {id, addressOf(id), encodeRegistrations(groups(names)), IpAddress{}, at, at};
}

struct World {
    explicit World(const DispatchRules& with = {}) : rules(with) {}

    void join(RecordId id, const std::vector<std::string>& names, std::shared_ptr<ReplyGate> gate = nullptr) {
        dispatcher.hear(Committed(ClientChanged{
            ClientChanged::How::joined, recordOf(id, names, ++last), {}, std::move(gate), ++told}));
    }
    void speak(RecordId id, const std::vector<std::string>& names, Sequence at) {
        dispatcher.hear(
            Committed(ClientChanged{ClientChanged::How::heard, recordOf(id, names, at), {}, {}, ++told}));
    }
    void add(RecordId id, const std::vector<std::string>& names, const std::vector<std::string>& before) {
        auto record = recordOf(id, names, ++last);
        dispatcher.hear(Committed(ClientChanged{
            ClientChanged::How::added, std::move(record), encodeRegistrations(groups(before)), {}, ++told}));
    }
    void leave(RecordId id) { dispatcher.hear(Committed(ClientLeft{id, addressOf(id)})); }
    void evict(RecordId id) { dispatcher.hear(Committed(ClientLeft{id, addressOf(id), true})); }
    Sequence publish(const std::string& name) {
        dispatcher.hear(Committed(EventPublished{++last, groupEvent(name)}));
        return last;
    }
    Sequence tellMissed() {
        dispatcher.hear(Committed(
            EventPublished{++last, std::make_shared<const Event>(missedEvents("watcher", "it was away"))}));
        return last;
    }
    void pass(std::chrono::milliseconds time) {
        clock.advance(time);
        dispatcher.tick();
    }
    std::vector<Errand> takeAll() {
        std::vector<Errand> errands;
        while (auto errand = dispatcher.take())
            errands.push_back(*errand);
        return errands;
    }
    std::vector<RecordId> takers() {
        std::vector<RecordId> ids;
        for (const auto& errand : takeAll())
            ids.push_back(errand.client);
        return ids;
    }

    DispatchRules rules;
    support::ManualClock clock;
    FakeLedger ledger;
    std::vector<Ticket> recalled;
    Sequence last = 0;
    NewsNumber told = 0;
    std::size_t awaited = 0;  // gates that call
    Dispatcher dispatcher{clock, rules, ledger, [this](Ticket ticket) { recalled.push_back(ticket); },
                          [this](RecordId client) {
                              ++awaited;
                              return [this, client] { dispatcher.gateOpened(client); };
                          }};
};

}  // namespace crnpd::delivery
