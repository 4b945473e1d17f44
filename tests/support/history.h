// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Decides, while it goes on, whether what one client was answered can be true (the same promise as
// tests/system/checker.py has):
//
//     what was acknowledged stays: every later state is that or the effect of a later message
//     a message without a reply was done or not, for good, and its repetition is answered as it would have
//     been a refusal changed nothing, and will not
//
// Clients are independent of each other, so each has a history of its own, which is walked through once with
// the set of states that are possible. Entries come in the order in which the messages were sent; one that
// nobody waits for any more counts as unanswered then, and may have its effect until the next one of this
// client has.
//
// Threads    One.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/message.h"

namespace crnpd::support {

// Event registrations that have a class and nothing else: a bit for each class.
using Events = unsigned;

struct ClientMessage {
    RegistrationType type = RegistrationType::addClient;
    Events events = 0;
};

class History {
public:
    struct State {
        enum class Kind { unknown, removed, registered };
        Kind kind = Kind::unknown;
        Events events = 0;

        friend auto operator<=>(const State&, const State&) = default;
    };

    // `removalsFade`: a remembered removal may be forgotten at any time.
    explicit History(bool removalsFade = false) : removalsFade_(removalsFade) {}

    void unanswered(const ClientMessage& message);
    // `registrations` is how many the client was said to have, which counts for OK.
    void answered(const ClientMessage& message, StatusCode code, std::size_t registrations);
    // Somebody looked: the client is not registered, or has these.
    void seen(std::optional<Events> registered);

    // What is impossible, and the entries before it; empty as long as nothing is.
    [[nodiscard]] const std::string& violation() const { return violation_; }
    [[nodiscard]] const std::set<State>& possible() const { return possible_; }

private:
    struct Entry {
        std::optional<ClientMessage> message;  // nothing: a look
        std::optional<StatusCode> code;
        std::size_t registrations = 0;
        std::optional<Events> seen;
    };

    void take(const Entry& entry, std::set<State> next);
    [[nodiscard]] static std::string text(const Entry& entry);

    bool removalsFade_;
    std::set<State> possible_{State{}};
    std::vector<Entry> entries_;
    std::string violation_;
};

}  // namespace crnpd::support
