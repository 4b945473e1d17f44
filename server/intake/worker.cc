// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/intake/worker.h"

#include <cassert>
#include <utility>

#include <fmt/format.h>

#include "common/crash_point.h"
#include "common/messages.h"
#include "server/intake/session.h"

namespace crnpd::intake {
namespace {

constexpr std::size_t bufferSize = 65536;

}  // namespace

Worker::Worker(const Shared& shared, const WorkerSettings& settings, AccessPtr access)
    : shared_(shared),
      settings_(settings),
      access_(std::move(access)),
      reader_(shared.xml, {.registrations = settings.registrationsPerClient}),
      tools_{reader_, *this, shared.memory, settings.messageBytes},
      buffer_(bufferSize),
      sweep_(loop_, [this] { sweep(); }),
      endOfTurn_(loop_, [this] { submitAsked(); }),
      thread_([this] {
          sweep_.startRepeating(sweepTime);
          loop_.run();
      }) {}

Worker::~Worker() {
    if (thread_.joinable()) {
        stopTaking();
        join();
    }
}

void Worker::listen(Sockets sockets) {
    loop_.post([this, sockets = std::move(sockets)]() mutable {
        // A socket that goes away is emptied first; one that stays is simply watched anew.
        for (const auto& acceptor : acceptors_) {
            if (std::ranges::find(sockets, acceptor->socket()) == sockets.end()) acceptor->drain();
        }
        acceptors_.clear();
        if (stopping_) return;
        unwatched_ = std::move(sockets);
        watchSockets();
        if (!unwatched_.empty())
            log(msg::acceptPaused, unwatched_.back()->address().text(), "out of memory or descriptors");
    });
}

void Worker::watchSockets() try {
    while (!unwatched_.empty()) {
        acceptors_.push_back(std::make_unique<net::Acceptor>(
            loop_, unwatched_.back(),
            [this] {
                if (shared_.occupancy.hasRoom()) return true;
                log(msg::connectionsFull, shared_.occupancy.connections());
                return false;
            },
            [this](UniqueFd fd, const SocketAddress& peer) { onConnection(std::move(fd), peer); }));
        unwatched_.pop_back();
    }
} catch (const std::exception&) {  // tried again with the next sweep
}

void Worker::setAccess(AccessPtr access) {
    loop_.post([this, access = std::move(access)] { access_ = access; });
}

void Worker::setSettings(const WorkerSettings& settings) {
    loop_.post([this, settings] {
        settings_ = settings;
        tools_.messageBytes = settings.messageBytes;
        reader_.limit({.registrations = settings.registrationsPerClient});
    });
}

void Worker::ping(net::Callback answer) {
    loop_.post(std::move(answer));
}

void Worker::stopTaking() {
    loop_.post([this] { beginStopping(); });
}

void Worker::join() {
    if (thread_.joinable()) thread_.join();
}

Statistics Worker::statistics() const {
    Statistics statistics;
    for (std::size_t i = 0; i < replies_.size(); ++i)
        statistics.replies[i] = replies_[i].load(std::memory_order_relaxed);
    statistics.unanswered = unanswered_.load(std::memory_order_relaxed);
    return statistics;
}

void Worker::decide(const IpAddress& peer, const IpAddress& local, RegistrationMessage message,
                    Decided decided) {
    asked_.push_back({peer, local, std::move(message), std::move(decided)});
    endOfTurn_.ask();
}

// All messages of a turn together: they make large commits instead of many small ones, which costs each of
// them less, and a lone one waits for nothing.
void Worker::submitAsked() {
    for (Asked& asked : std::exchange(asked_, {}))
        submit(asked);
    crashPoint("submitted");
}

void Worker::submit(Asked& asked) try {
    // A copy of `decided`: when there is no memory, the session still has to hear of it.
    shared_.submit(
        asked.peer, asked.local, std::move(asked.message),
        [this, decided = asked.decided](Decision decision) mutable {
            // Shared, because what is posted must be copyable and a hold is not.
            auto held = std::make_shared<Decision>(std::move(decision));
            loop_.post([decided = std::move(decided), held = std::move(held)] { decided(std::move(*held)); });
        });
} catch (const std::exception& fault) {
    log(msg::internalFault, fault.what());
    asked.decided({});
}

void Worker::onConnection(UniqueFd fd, const SocketAddress& peer) noexcept {
    crashPoint("accepted");
    retired_.clear();
    Session* session = nullptr;
    try {
        open_.push_back(std::make_unique<Session>(*this, std::move(fd), peer));
        session = open_.back().get();
        session->list = &open_;
        session->place = std::prev(open_.end());
        admit(*session);
    } catch (const std::exception& fault) {
        log(msg::internalFault, fault.what());
        if (session != nullptr) session->close();
    }
}

// The first of the checks of section 3: access. A refused host gets a reply (section 8).
void Worker::admit(Session& session) {
    const bool fewEnough = shared_.occupancy.entered(session.peer());
    session.isCounted = true;
    if (const auto verdict = access_->decide(session.peer()); !verdict.allowed) {
        log(msg::accessRefused, session.peer().text(), verdict.text());
        session.refuse({StatusCode::fail, fmt::format("{} is not allowed to register with this server",
                                                      session.peer().text())});
    } else if (!fewEnough) {
        session.refuse({StatusCode::lowResource,
                        fmt::format("{} has as many connections open as one address may have; close some",
                                    session.peer().text())});
    } else {
        session.read();
    }
}

void Worker::sweep() {
    retired_.clear();
    watchSockets();
    // Again, in case there was no memory to do it when the stop began.
    if (stopping_) refuseUnfinished();
    const auto now = shared_.clock.steady();
    refuseLateMessages(now);
    closeDrained(now);
    finishIfIdle();
}

void Worker::refuseLateMessages(SteadyTime now) {
    for (auto next = open_.begin(); next != open_.end();) {
        auto& session = **next++;  // refusing moves it out of the list
        if (now - session.since() < settings_.messageTime) return;
        if (!session.isReading()) continue;
        session.refuse(
            {StatusCode::retry,
             fmt::format("the message was not complete within {} s; nothing was changed; repeat it",
                         std::chrono::duration<double>(settings_.messageTime).count())});
    }
}

void Worker::closeDrained(SteadyTime now) {
    const auto patience = stopping_ ? lastDrainTime : drainTime;
    while (!draining_.empty() && now - draining_.front()->since() >= patience)
        draining_.front()->close();
}

void Worker::beginStopping() {
    if (std::exchange(stopping_, true)) return;
    for (const auto& acceptor : acceptors_)
        acceptor->drain();
    acceptors_.clear();
    unwatched_.clear();
    refuseUnfinished();
    finishIfIdle();
}

void Worker::refuseUnfinished() {
    for (auto next = open_.begin(); next != open_.end();) {
        auto& session = **next++;
        if (session.isReading()) session.read();  // what has arrived since is answered as well
        if (session.isReading()) {
            session.refuse(
                {StatusCode::retry, "this server is stopping; nothing was changed; repeat the message"});
        }
    }
}

void Worker::finishIfIdle() {
    if (stopping_ && open_.empty() && draining_.empty()) loop_.stop();
}

void Worker::count(const exchange::Answer& answer) noexcept {
    auto& counter = answer.reply ? replies_[static_cast<std::size_t>(answer.reply->code)] : unanswered_;
    counter.fetch_add(1, std::memory_order_relaxed);
}

void Worker::drain(Session& session) {
    move(session, draining_);
}

void Worker::onDrained(Session& session) {
    session.close();
}

void Worker::retire(Session& session) {
    if (std::exchange(session.isCounted, false)) shared_.occupancy.left(session.peer());
    move(session, retired_);
}

void Worker::move(Session& session, Sessions& to) {
    to.splice(to.end(), *session.list, session.place);
    session.list = &to;
}

}  // namespace crnpd::intake
