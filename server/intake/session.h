// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// One connection of a worker together with the exchange that runs over it.
//
// Threads    Its worker's.
// Errors     Nothing leaves it but through the log: a library's exception (out of memory) closes this
//            connection and nothing else.
#pragma once

#include <functional>
#include <list>
#include <memory>

#include "common/address.h"
#include "common/clock.h"
#include "server/exchange/exchange.h"
#include "server/net/connection.h"

namespace crnpd::intake {

class Worker;

class Session final : private net::Connection::Handler, private exchange::Exchange::Listener {
public:
    Session(Worker& worker, UniqueFd fd, const SocketAddress& peer);
    ~Session() override;

    void read();
    void refuse(Reply reply);
    // Ends it where it stands.
    void close() noexcept;

    [[nodiscard]] bool isReading() const noexcept { return exchange_->isReading(); }
    [[nodiscard]] const IpAddress& peer() const noexcept { return peer_.ip; }
    [[nodiscard]] SteadyTime since() const noexcept { return since_; }

    // Where the worker keeps it: the worker's to set.
    using List = std::list<std::unique_ptr<Session>>;
    List* list = nullptr;
    List::iterator place;
    bool isCounted = false;  // in the occupancy

private:
    bool onBytes(std::string_view bytes) override;
    void onEnd() override;
    void onClosed() override;
    void onAnswer(const exchange::Answer& answer) override;
    [[nodiscard]] IpAddress local() const noexcept override { return connection_.local(); }

    void reply(const exchange::Answer& answer);
    // Runs `action`; an exception becomes a log line and the end of this connection.
    bool guarded(const std::function<bool()>& action) noexcept;
    void logAnswer(const exchange::Answer& answer) const;
    void warnOfOwnAddress(const exchange::Answer& answer, std::string_view client) const;

    Worker& worker_;
    SocketAddress peer_;
    SteadyTime since_;  // of the connection; after the reply, of draining
    bool heard_ = false;
    bool closed_ = false;
    net::Connection connection_;
    std::shared_ptr<exchange::Exchange> exchange_;
};

}  // namespace crnpd::intake
