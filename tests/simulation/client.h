// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A client of the simulation: sends one message after the other to whichever node listens, repeats what was
// not answered, perhaps to another node, and keeps a ledger of it all.
//
// A message whose answer it does not wait for any longer is repeated, or given up for another one; the node
// that has it does not know.
#pragma once

#include <memory>

#include "tests/simulation/simulation.h"

namespace crnpd::simulation {

class Client {
public:
    Client(Simulation& simulation, std::uint16_t port, unsigned messages, bool removalsFade)
        : simulation_(simulation), port_(port), messagesLeft_(messages), history_(removalsFade) {}

    void step();
    // Asked for what was answered, in the end, when nothing goes wrong any more.
    [[nodiscard]] bool isDone() const { return messagesLeft_ == 0 && !message_ && !copy_; }
    void askOnceMore() { ++messagesLeft_; }
    void look();
    [[nodiscard]] std::string text() const;

private:
    // One sending of the message. Its answer finds it here, or is of no interest any more.
    struct Copy {
        bool isWaitedFor = true;
    };

    void invent();
    void send();
    void stopWaiting(const char* why);
    void onAnswer(Copy& copy, const commit::Outcome& outcome);
    void told(StatusCode code, std::size_t registrations);
    void check();

    Simulation& simulation_;
    std::uint16_t port_;
    unsigned messagesLeft_;
    std::optional<support::ClientMessage> message_;
    std::shared_ptr<Copy> copy_;
    support::History history_;
};

}  // namespace crnpd::simulation
