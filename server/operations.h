// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What the control socket is told, taken from the running parts; and the little state that the threads of a
// server share.
//
// Threads    Any.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include "common/clock.h"
#include "server/access/access.h"
#include "server/backend.h"
#include "server/config/settings.h"
#include "server/control/operations.h"
#include "server/failover/failover.h"
#include "server/serving.h"
#include "server/source/publisher.h"

namespace crnpd {

// The settings in force, who may register, and, while this server is active, what serves.
class State {
public:
    State(config::Settings settings, std::shared_ptr<const access::AccessList> access)
        : settings_(std::make_shared<const config::Settings>(std::move(settings))),
          access_(std::move(access)) {}

    [[nodiscard]] std::shared_ptr<const config::Settings> settings() const { return read(settings_); }
    [[nodiscard]] std::shared_ptr<const access::AccessList> access() const { return read(access_); }
    // Null unless active. Whoever holds it keeps it alive: hold it briefly.
    [[nodiscard]] std::shared_ptr<Serving> serving() const { return read(serving_); }
    // Where events go as long as this server has the role it has; null where it has no way to publish.
    [[nodiscard]] std::shared_ptr<source::Publisher> publisher() const { return read(publisher_); }

    void setSettings(config::Settings settings) {
        write(settings_, std::make_shared<const config::Settings>(std::move(settings)));
    }
    void setAccess(std::shared_ptr<const access::AccessList> access) { write(access_, std::move(access)); }
    // Returns the one before.
    std::shared_ptr<Serving> setServing(std::shared_ptr<Serving> serving) {
        return write(serving_, std::move(serving));
    }

    void setPublisher(std::shared_ptr<source::Publisher> publisher) {
        write(publisher_, std::move(publisher));
    }

private:
    template <typename T>
    T read(const T& value) const {
        const std::scoped_lock lock(mutex_);
        return value;
    }
    template <typename T>
    T write(T& place, T value) {
        const std::scoped_lock lock(mutex_);
        return std::exchange(place, std::move(value));
    }

    mutable std::mutex mutex_;
    std::shared_ptr<const config::Settings> settings_;
    std::shared_ptr<const access::AccessList> access_;
    std::shared_ptr<Serving> serving_;
    std::shared_ptr<source::Publisher> publisher_;
};

class ServerOperations final : public control::Operations {
public:
    // How long the committer may take to come to a question.
    static constexpr std::chrono::seconds patience{10};

    ServerOperations(const State& state, failover::Failover& failover, const Backend& backend,
                     const Clock& clock)
        : state_(state), failover_(failover), backend_(backend), clock_(clock), started_(clock.steady()) {}

    control::RoleAnswer role() override;
    control::Status status() override;
    Result<void> stepDown() override;
    Result<std::vector<control::ClientSummary>> clients() override;
    Result<control::ClientDetails> client(const CallbackAddress& address) override;
    Result<Reply> remove(const CallbackAddress& address) override;
    control::AccessAnswer access(const IpAddress& address) override;
    Result<Sequence> publish(Event event) override;
    Result<control::Events> events(std::size_t most) override;
    Result<control::Dump> dump() override;
    Result<void> mayRestore() override;
    Result<void> restore(Snapshot rows, const std::function<void()>& stillWorking) override;

    [[nodiscard]] std::chrono::seconds uptime() const;

private:
    // What `question` makes of the committed state. It may run after we have given up waiting, so it owns
    // all that it needs. askAnyway(): also where that state may be out of date.
    template <typename Question>
    [[nodiscard]] auto askAnyway(Question question) const
        -> Result<std::invoke_result_t<Question, const commit::View&>>;
    template <typename Question>
    [[nodiscard]] auto ask(Question question) const
        -> Result<std::invoke_result_t<Question, const commit::View&>>;
    [[nodiscard]] Error notActive() const;

    const State& state_;
    failover::Failover& failover_;
    const Backend& backend_;
    const Clock& clock_;
    SteadyTime started_;
};

}  // namespace crnpd
