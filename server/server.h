// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The one owner: holds every part of the server in the order in which they start and stops them in the
// reverse.
//
// Threads    run() is the main thread's: its loop has the signals, the timers and the changes of this
//            machine's addresses. Failover calls the Duties on its own thread, the control socket the
//            Operations on threads of theirs.
// Errors     The constructor throws for what is missing at the start; run() returns the exit code.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/clock.h"
#include "common/xml/runtime.h"
#include "server/backend.h"
#include "server/config/settings.h"
#include "server/control/control_server.h"
#include "server/failover/failover.h"
#include "server/logging/logging.h"
#include "server/net/local_networks.h"
#include "server/net/loop.h"
#include "server/operations.h"
#include "server/publishing.h"
#include "server/service/notifier.h"
#include "server/service/pulse.h"
#include "server/serving.h"

namespace crnpd {

class Server final : private failover::Duties {
public:
    Server(std::filesystem::path configFile, const config::Settings& settings);
    ~Server() override;

    // Until a signal or a fault ends it.
    [[nodiscard]] int run();

private:
    // Duties, on the failover thread.
    Result<void> takeOver(store::Term term, store::RegistrationStore& store, Snapshot snapshot) override;
    void stepDown(failover::Manner manner) override;
    void onEnd(const std::optional<Error>& fault) override;

    // On the main thread.
    void stop(const std::string& reason);
    void reload();
    void tick();
    void beat();
    void onLocalNetworks(std::vector<Network> networks);
    void openControlSocket();
    void tellStatus();
    [[nodiscard]] std::string statusText();
    [[nodiscard]] Result<void> apply(const config::Settings& wanted);
    void raiseDescriptorLimit() const;

    const std::filesystem::path configFile_;
    SystemClock clock_;
    State state_;
    logging::Logging logging_;
    xml::Runtime xml_;
    service::Notifier notifier_;
    service::Pulse pulse_{clock_};
    net::Loop loop_;
    net::LocalNetworksWatch localNetworks_;
    net::Timer tick_;
    net::Timer beat_;
    net::SignalWatch onTerm_;
    net::SignalWatch onInt_;
    net::SignalWatch onHup_;
    const std::unique_ptr<Backend> backend_;
    failover::Failover failover_;
    ServerOperations operations_;
    control::ControlServer control_;

    std::unique_ptr<PostedEvents> posted_;  // the failover thread's, while active

    // Held while settings or the access list change and while a takeover begins with them, so that it misses
    // neither.
    std::mutex changeMutex_;
    std::atomic<std::uint64_t> clients_{0};
    std::atomic<std::uint64_t> revision_{0};
    std::atomic<std::uint64_t> repliesGiven_{0};  // of terms that are over
    std::string statusTold_;
    std::string leaderTold_;
    std::string controlProblemTold_;
    bool readyTold_ = false;
    bool stopping_ = false;
    int exitCode_ = 0;
};

}  // namespace crnpd
