// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Events to clients: one thread with the Dispatcher, which decides, and the Courier, which sends.
//
// Promise    See Dispatcher and Courier. When hear() has returned for a client that left, no connection to
//            it is begun any more (P6); one that is under way is closed as soon as the thread comes to it.
//            Nothing is begun while `mayBegin` says no: then another server may lead, and have removed
//            clients.
// Threads    Every method may be called from any thread but the delivery's own; start() and stop() once each,
//            by one owner. The ledger's `done` may come on any thread, also after this object is gone.
// Errors     The constructor throws std::runtime_error when the system has no descriptors left. Where hear()
//            throws std::bad_alloc nothing was heard. Memory that runs out on the delivery's thread ends the
//            process.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/clock.h"
#include "common/committed.h"
#include "server/delivery/courier.h"
#include "server/delivery/dispatcher.h"
#include "server/delivery/ledger.h"
#include "server/delivery/progress.h"
#include "server/net/loop.h"

namespace crnpd::delivery {

class Delivery {
public:
    struct Options {
        DispatchRules dispatch;
        SendRules sending;
    };

    // `mayBegin` is asked on the delivery's thread before each connection and each document.
    Delivery(const Clock& clock, const Options& options, Ledger& ledger, Courier::Permission mayBegin);
    ~Delivery();
    Delivery(const Delivery&) = delete;
    Delivery& operator=(const Delivery&) = delete;

    // Reads the rows and begins to send, on the delivery's thread: a server with very many clients need not
    // wait for that. What is heard is news to these rows.
    void start(std::shared_ptr<const Snapshot> rows);
    // An Audience.
    void hear(std::vector<Committed> news);
    // New settings, for whatever begins from now on. `mostKinds` stays.
    void apply(const Options& options);
    // Runs `answer` on the delivery's thread: a sign of life.
    void ping(net::Callback answer);
    // No connection is begun any more, those under way are closed, the thread has ended. May be repeated.
    void stop();

    // Nothing if it is not registered, or if there is no answer within a second.
    [[nodiscard]] std::optional<ClientProgress> clientProgress(const CallbackAddress& client);
    // Nothing if there is no answer within a second.
    [[nodiscard]] std::optional<EventsProgress> events(std::size_t most);

private:
    struct Mailbox;
    class PostingLedger;
    using Departures = std::unordered_multiset<RecordId>;

    // What the loop calls, on whatever occasion. Each ends the process when memory runs out: done by halves
    // it would skip an event or leave a client waiting for ever, and whoever starts next goes on from what is
    // stored.
    void begin(const Snapshot& rows) noexcept;
    void onNews(const std::vector<Committed>& news) noexcept;
    void onGateOpened(RecordId client) noexcept;
    void onAnswer(const net::Callback& answer) noexcept;
    void onEnd(Ticket ticket, const Courier::End& end) noexcept;
    void onNewOptions(const Options& options) noexcept;
    void pump() noexcept;

    [[nodiscard]] net::Callback callOnOpening(RecordId client);
    void onProcessed(const std::vector<Committed>& news);
    void pumpSoon();
    void armTimer();
    [[nodiscard]] std::size_t beginSome();
    [[nodiscard]] bool begin(const Errand& errand);
    [[nodiscard]] std::shared_ptr<const std::string> documentOf(const NumberedEvent& event);
    template <typename Answer>
    std::optional<Answer> ask(std::function<std::optional<Answer>()> question);

    const Clock& clock_;
    net::Loop loop_;
    std::shared_ptr<Mailbox> mailbox_;
    std::unique_ptr<PostingLedger> ledger_;
    Courier courier_;
    Dispatcher dispatcher_;
    net::Timer timer_;
    // Once for all that ends in a turn, so that the next connections begin together.
    net::EndOfTurn endOfTurn_;
    bool pumping_ = false;

    // Held while a connection is begun and while departures are counted.
    std::mutex mutex_;
    Departures departures_;    // heard, and not processed yet
    std::size_t reloads_ = 0;  // the same
    bool stopping_ = false;

    std::unordered_map<Sequence, std::shared_ptr<const std::string>> documents_;
    bool outOfDescriptors_ = false;
    SteadyTime resumeAt_{};  // nothing is begun before
    std::thread thread_;
};

}  // namespace crnpd::delivery
