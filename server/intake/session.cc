// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/intake/session.h"

#include <exception>
#include <utility>

#include "common/crash_point.h"
#include "common/messages.h"
#include "common/xml/reply.h"
#include "server/intake/worker.h"

namespace crnpd::intake {

Session::Session(Worker& worker, UniqueFd fd, const SocketAddress& peer)
    : worker_(worker),
      peer_(peer),
      since_(worker.shared_.clock.steady()),
      connection_(worker.loop_, std::move(fd), *this),
      exchange_(std::make_shared<exchange::Exchange>(worker.tools_, peer.ip,
                                                     static_cast<exchange::Exchange::Listener&>(*this))) {}

Session::~Session() {
    exchange_->left();
}

void Session::read() {
    guarded([this] {
        connection_.read(worker_.buffer_);
        return true;
    });
}

void Session::refuse(Reply reply) {
    guarded([&] {
        exchange_->refuse(std::move(reply));
        return true;
    });
}

void Session::close() noexcept {
    if (std::exchange(closed_, true)) return;
    exchange_->left();
    connection_.close();
    worker_.retire(*this);
}

bool Session::guarded(const std::function<bool()>& action) noexcept {
    try {
        return action();
    } catch (const std::exception& fault) {
        log(msg::internalFault, fault.what());
        close();
        return false;
    }
}

bool Session::onBytes(std::string_view bytes) {
    crashPoint("read");
    heard_ = true;
    return guarded([&] { return exchange_->onBytes(bytes); });
}

void Session::onEnd() {
    guarded([this] {
        exchange_->onEnd();
        return true;
    });
}

void Session::onAnswer(const exchange::Answer& answer) {
    guarded([&] {
        reply(answer);
        return true;
    });
}

void Session::reply(const exchange::Answer& answer) {
    logAnswer(answer);
    const bool silent = !answer.reply.has_value();
    worker_.count(answer);  // before the client can know
    bool draining = false;
    if (!silent) {
        const auto text = xml::writeReply(*answer.reply);
        crashPoint("before_reply");
        draining = connection_.reply(text, answer.messageIsWhole, worker_.buffer_) ==
                   net::Connection::Closing::draining;
    }
    crashPoint("after_reply");
    since_ = worker_.shared_.clock.steady();
    if (draining) {
        worker_.drain(*this);
    } else {
        close();
    }
}

void Session::onClosed() {
    worker_.onDrained(*this);
}

void Session::logAnswer(const exchange::Answer& answer) const {
    const std::chrono::duration<double, std::milli> took = worker_.shared_.clock.steady() - since_;
    if (answer.type) {
        const auto client = CallbackAddress{peer_.ip, answer.port}.text();
        if (!answer.reply) return log(msg::closedWithoutReply, client, name(*answer.type));
        warnOfOwnAddress(answer, client);
        return log(msg::registered, client, name(*answer.type), name(answer.reply->code),
                   answer.registrations, took.count());
    }
    if (!heard_ && answer.messageIsWhole) return log(msg::leftWithoutMessage, peer_.text());
    log(msg::registrationRefused, peer_.text(), name(answer.reply->code), answer.reply->text, took.count());
}

// The first of the traps in section 9: refuse nothing, but warn.
void Session::warnOfOwnAddress(const exchange::Answer& answer, std::string_view client) const {
    const bool registers =
        *answer.type == RegistrationType::addClient && answer.reply->code == StatusCode::ok;
    if (!registers || peer_.ip.isLoopback()) return;
    if (connection_.isFromThisMachine(peer_)) log(msg::ownAddress, client);
}

}  // namespace crnpd::intake
