// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The latest event of each kind: what a client has to know before later events make sense to it, and what is
// left for a client that cannot be sent everything (section 7 of docs/protocol.md).
//
// Kind       Class, subclass, and the name where the type has one: rg_name of ESC_cluster_rg_state, r_name of
//            ESC_cluster_r_state (class EC_Cluster; section 6). Every other type, and an event that lacks the
//            name or has it twice, is one kind by class and subclass.
// Memory     One event for each kind, and no more than `most`, at least 1: beyond that the kind that has
//            been silent longest is forgotten, because publishers can invent names without end; but never
//            the notice that events may have been missed, from which a new leader learns who is owed the
//            state.
// Cost       put() and holds() logarithmic. wanted() looks at the kinds that a registration can mean: one if
//            it names a group or a resource, else all of its class or type.
// Threads    One at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/message.h"
#include "common/record.h"

namespace crnpd::delivery {

// Shared, because one event is in the log, in the state and on its way to many clients.
struct NumberedEvent {
    Sequence sequence = 0;
    std::shared_ptr<const Event> event;
};

// Whether some client wants an event: Matching::wants() for it.
using Wants = std::function<bool(const Event&)>;

class CurrentState {
public:
    explicit CurrentState(std::size_t most) : most_(most) {}

    // What is current no more since an event was put.
    struct Dropped {
        Sequence sequence = 0;
        bool forgotten = false;  // for want of room, not because there is a newer one
    };

    // Its sequence is greater than all before.
    std::optional<Dropped> put(NumberedEvent event);

    [[nodiscard]] bool holds(Sequence sequence) const { return bySequence_.contains(sequence); }
    // All that is current and older than that, in ascending order.
    [[nodiscard]] std::vector<NumberedEvent> before(Sequence sequence) const;
    // Null if it is current no more.
    [[nodiscard]] std::shared_ptr<const Event> event(Sequence sequence) const;
    [[nodiscard]] std::size_t size() const noexcept { return bySequence_.size(); }

    // The initial events, in ascending order: what `now` asks for and `before` did not. ADD_CLIENT gets
    // everything it asks for, so `before` is empty; ADD_EVENTS only what is new to the client.
    [[nodiscard]] std::vector<Sequence> wanted(std::span<const EventRegistration> now,
                                               std::span<const EventRegistration> before) const;

    // What a queue collapses to, in ascending order: of the events in (after, upTo] that the client wants
    // those that are current.
    [[nodiscard]] std::vector<Sequence> collapsed(Sequence after, Sequence upTo, const Wants& wants) const;

private:
    // Class, subclass and name, each with its length in front, so that the kinds of a class or a type stand
    // together.
    using Key = std::string;
    struct Held {
        std::shared_ptr<const Event> event;
        std::map<Key, Sequence>::iterator kind;
    };

    void addMatches(const EventRegistration& registration, const Key& prefix, bool exact,
                    std::vector<Sequence>& found) const;

    std::size_t most_;
    std::map<Key, Sequence> byKind_;
    std::map<Sequence, Held> bySequence_;
};

}  // namespace crnpd::delivery
