// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Where a client takes its events (section 7 of docs/protocol.md): one connection brings one document up to
// the end of file, and our close behind it tells the server that the document arrived.
//
// Promise    The close comes after the callback took the document. Every other end of a connection is a
//            reset, so that the server never takes it for a delivery and tries again.
// Limits     So many connections at once, the rest waits in the system's queue; so many bytes and so much
//            time a connection. While a callback runs nothing is accepted or read: the servers wait.
// Threads    One thread; the callbacks are called from run().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <poll.h>

#include "common/address.h"
#include "common/result.h"
#include "common/unique_fd.h"
#include "tools/crnpctl/deadline.h"

namespace crnpd::crnpctl {

class EventListener {
public:
    struct Limits {
        std::size_t connections = 16;
        std::size_t bytes = 64U << 20U;
        std::chrono::milliseconds time{60'000};
    };

    enum class Verdict {
        more,     // taken
        last,     // taken, and no more is wanted
        refused,  // not taken, and no more can be
    };

    struct Callbacks {
        std::function<Verdict(const SocketAddress& peer, std::string_view document)> onDocument;
        // Why a connection brought no document, or why none is accepted for a while. For a person.
        std::function<void(std::string_view problem)> onProblem;
    };

    // Without an address on all of them, of IPv6 and IPv4 both; port 0 is any free one. Errors:
    // invalidArgument, busy where somebody has the port, io; the text says what to do.
    [[nodiscard]] static Result<EventListener> open(const std::optional<IpAddress>& address,
                                                    std::uint16_t port, Limits limits);

    [[nodiscard]] const SocketAddress& address() const noexcept { return address_; }
    // Readable when somebody calls.
    [[nodiscard]] int fd() const noexcept { return listener_.fd(); }

    // Accepts and resets whoever waits. False where the system lets us accept nobody at the moment.
    bool turnAway();

    // Until `stop` is readable or a verdict ends it; what is half read then is reset. Errors: io.
    [[nodiscard]] Result<void> run(int stop, const Callbacks& callbacks);

private:
    struct Connection {
        UniqueFd socket;
        SocketAddress peer;
        Deadline end;
        std::string bytes;
        bool over = false;
    };

    EventListener(UniqueFd listener, SocketAddress address, Limits limits)
        : listener_(std::move(listener)), address_(address), limits_(limits) {}

    [[nodiscard]] std::vector<pollfd> watched(int stop) const;
    [[nodiscard]] bool mayAccept() const;
    [[nodiscard]] int timeLeft() const;
    bool serve(const std::vector<pollfd>& entries, const Callbacks& callbacks);
    bool read(Connection& connection, const Callbacks& callbacks);
    bool finish(Connection& connection, const Callbacks& callbacks);
    static void drop(Connection& connection, const std::string& why, const Callbacks& callbacks);
    void accept(const Callbacks& callbacks);

    UniqueFd listener_;
    SocketAddress address_;
    Limits limits_;
    std::vector<Connection> connections_;
    std::optional<Deadline> acceptAgain_;
};

}  // namespace crnpd::crnpctl
