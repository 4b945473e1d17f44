// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/serving.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "common/messages.h"
#include "server/allocator.h"

namespace crnpd {
namespace {

// As many messages of the greatest length may be unfinished at the same time.
constexpr std::size_t unfinishedMessages = 256;

constexpr unsigned mostWorkersByDefault = 4;

registry::Rules rulesOf(const config::Settings& settings) {
    return {settings.maxClients, settings.limits.registrationsPerClient, settings.limits.messageBytes,
            settings.limits.removalMemory, settings.limits.messageBytes};
}

intake::ConnectionLimits connectionLimitsOf(const config::Settings& settings) {
    return {settings.limits.connections, settings.limits.connectionsPerAddress};
}

intake::WorkerSettings workerSettingsOf(const config::Settings& settings) {
    return {settings.limits.messageBytes, settings.limits.messageTime,
            settings.limits.registrationsPerClient};
}

delivery::Delivery::Options deliveryOptionsOf(const config::Settings& settings) {
    delivery::Delivery::Options options;
    options.dispatch.retry = {settings.delivery.retryCount, settings.delivery.retryInterval};
    options.dispatch.queueEvents = settings.limits.queueEvents;
    options.sending.timeout = settings.delivery.timeout;
    options.sending.bindSourcePort = settings.delivery.bindSourcePort;
    if (!settings.listen.empty()) options.sending.sourcePort = settings.listen.front().port;
    return options;
}

commit::Committer::Options withAudience(commit::Committer::Options options, delivery::Delivery& delivery) {
    options.audience = [&delivery](std::vector<Committed> news) { delivery.hear(std::move(news)); };
    return options;
}

// One core is left to the committer: on two cores a second worker costs more in switching than it brings
// (docs/architecture.md).
unsigned workersFor(const config::Settings& settings) {
    if (settings.workers != 0) return settings.workers;
    const unsigned cores = std::max(std::thread::hardware_concurrency(), 2U);
    return std::min(cores - 1, mostWorkersByDefault);
}

// Rows that several read. Whoever lets go of them last gives back their memory, which the allocator would
// keep for itself: as much again as the clients take for good.
std::shared_ptr<const Snapshot> forSeveral(Snapshot rows) {
    constexpr std::size_t many = 10'000;
    const bool areMany = rows.clients.size() > many;
    return {new Snapshot(std::move(rows)), [areMany](const Snapshot* all) {
                delete all;
                if (areMany) giveBackFreeMemory();
            }};
}

}  // namespace

Serving::Serving(const Clock& clock, const xml::Runtime& xml, store::RegistrationStore& store,
                 Snapshot snapshot, const config::Settings& settings, const AccessPtr& access,
                 commit::Committer::Options options, store::Election::StillLeading stillLeading)
    : delivery_(clock, deliveryOptionsOf(settings), *this, std::move(stillLeading)),
      committer_(store, clock, rulesOf(settings), withAudience(std::move(options), delivery_)),
      occupancy_(connectionLimitsOf(settings)),
      memory_(settings.limits.messageBytes * unfinishedMessages),
      shared_{clock, xml, occupancy_, memory_,
              [this](const IpAddress& peer, const IpAddress& local, RegistrationMessage message,
                     exchange::Decider::Decided decided) {
                  submit(peer, local, std::move(message), std::move(decided));
              }} {
    auto rows = forSeveral(std::move(snapshot));
    delivery_.start(rows);
    try {
        committer_.start(*rows);
        // Not here, where a start would wait for it.
        delivery_.ping([last = std::move(rows)]() mutable { last.reset(); });
        for (unsigned i = 0; i < workersFor(settings); ++i) {
            workers_.push_back(std::make_unique<intake::Worker>(shared_, workerSettingsOf(settings), access));
        }
    } catch (...) {
        delivery_.stop();  // before the committer goes, which it asks
        throw;
    }
}

Serving::~Serving() {
    stop();
}

void Serving::stop() {
    for (const auto& worker : workers_)
        worker->stopTaking();
    closeSockets();
    delivery_.stop();
    for (const auto& worker : workers_)
        worker->join();
    committer_.stop();
}

// Nobody is sent anything any more by whoever may not lead.
void Serving::abandon() {
    delivery_.stop();
    committer_.abandon("another server leads");
}

// The workers hold theirs until they have accepted what was waiting. Before anything is waited for: whoever
// connects to a socket that nobody accepts from any more would be reset in the end.
void Serving::closeSockets() {
    const std::scoped_lock lock(socketsMutex_);
    stopped_ = true;
    for (const auto& socket : sockets_)
        log(msg::notListening, socket->address().text());
    sockets_.clear();
}

void Serving::submit(const IpAddress& peer, const IpAddress& local, RegistrationMessage message,
                     exchange::Decider::Decided decided) {
    const CallbackAddress client{peer, message.port};
    auto gate = std::make_shared<ReplyGate>();
    auto hold = std::make_shared<ReplyHold>(gate);
    committer_.submit({client, message.type, std::move(message.events), local, std::move(gate)},
                      [decided = std::move(decided), hold = std::move(hold)](const commit::Outcome& outcome) {
                          decided({outcome.reply, outcome.registrations, std::move(*hold)});
                      });
}

void Serving::remove(const CallbackAddress& client, NewsNumber heard, std::function<void(Removal)> done) {
    committer_.remove(client, heard, [done = std::move(done)](commit::Removal removal) {
        switch (removal) {
            case commit::Removal::removed:
                return done(Removal::removed);
            case commit::Removal::spoke:
                return done(Removal::spoke);
            case commit::Removal::impossible:
                return done(Removal::impossible);
        }
    });
}

void Serving::keep(MarkRecord mark, std::vector<Sequence> released, std::function<void(bool kept)> done) {
    committer_.keep(std::move(mark), std::move(released), std::move(done));
}

Result<void> Serving::listen(const std::vector<SocketAddress>& addresses) {
    const std::scoped_lock lock(socketsMutex_);
    if (stopped_) return Error{ErrorCode::busy, "this server is stepping down and listens no more"};
    auto wanted = socketsFor(addresses);
    if (!wanted) return wanted.error();

    const auto isIn = [](const Sockets& sockets, const auto& socket) {
        return std::ranges::find(sockets, socket) != sockets.end();
    };
    for (const auto& socket : sockets_) {
        if (!isIn(*wanted, socket)) log(msg::notListening, socket->address().text());
    }
    for (const auto& socket : *wanted) {
        if (!isIn(sockets_, socket)) log(msg::listening, socket->address().text());
    }
    sockets_ = std::move(*wanted);
    for (const auto& worker : workers_)
        worker->listen(sockets_);
    return {};
}

// A socket that is open already stays. Called with the lock held.
Result<Serving::Sockets> Serving::socketsFor(const std::vector<SocketAddress>& addresses) const {
    Sockets wanted;
    for (const auto& address : addresses) {
        const auto open = std::ranges::find_if(
            sockets_, [&](const auto& socket) { return socket->configured() == address; });
        if (open != sockets_.end()) {
            wanted.push_back(*open);
            continue;
        }
        auto socket = net::ListenSocket::open(address);
        if (!socket) return socket.error();
        wanted.push_back(std::move(*socket));
    }
    return wanted;
}

std::vector<SocketAddress> Serving::listening() const {
    const std::scoped_lock lock(socketsMutex_);
    std::vector<SocketAddress> addresses;
    for (const auto& socket : sockets_)
        addresses.push_back(socket->address());
    return addresses;
}

void Serving::apply(const config::Settings& settings) {
    committer_.setRules(rulesOf(settings));
    delivery_.apply(deliveryOptionsOf(settings));
    occupancy_.setLimits(connectionLimitsOf(settings));
    memory_.setLimit(settings.limits.messageBytes * unfinishedMessages);
    for (const auto& worker : workers_)
        worker->setSettings(workerSettingsOf(settings));
}

void Serving::setAccess(const AccessPtr& access) {
    for (const auto& worker : workers_)
        worker->setAccess(access);
}

intake::Statistics Serving::statistics() const {
    intake::Statistics sum;
    for (const auto& worker : workers_) {
        const auto one = worker->statistics();
        for (std::size_t i = 0; i < sum.replies.size(); ++i)
            sum.replies[i] += one.replies[i];
        sum.unanswered += one.unanswered;
    }
    return sum;
}

std::vector<service::Pulse::Member> Serving::members() {
    std::vector<service::Pulse::Member> members;
    members.push_back({"the committer",
                       [this](std::function<void()> work) {
                           committer_.ask([work = std::move(work)](const commit::View&) { work(); });
                       },
                       [flag = committer_.isAtLongWork()] { return flag->load(); }});
    members.push_back(
        {"the delivery", [this](std::function<void()> work) { delivery_.ping(std::move(work)); }});
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        members.push_back(
            {fmt::format("worker {}", i + 1),
             [worker = workers_[i].get()](std::function<void()> work) { worker->ping(std::move(work)); }});
    }
    return members;
}

}  // namespace crnpd
