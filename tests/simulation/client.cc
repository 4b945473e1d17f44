// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/client.h"

#include <utility>

#include <fmt/format.h>

#include "common/registration_codec.h"

namespace crnpd::simulation {
namespace {

constexpr unsigned classes = 3;

std::vector<EventRegistration> eventsOf(support::Events bits) {
    std::vector<EventRegistration> events;
    for (unsigned i = 0; i < classes; ++i) {
        if ((bits >> i & 1U) != 0) events.push_back({std::string(1, static_cast<char>('A' + i)), {}, {}});
    }
    return events;
}

CallbackAddress addressOf(std::uint16_t port) {
    in_addr ip{htonl(0xC0000201U)};  // 192.0.2.1
    return {IpAddress::from(ip), port};
}

}  // namespace

std::string Client::text() const {
    return fmt::format("client {}", port_);
}

void Client::step() {
    if (copy_) {
        if (simulation_.draw(1000) < 60) stopWaiting("client gave up waiting");
    } else if (message_) {
        send();
    } else if (messagesLeft_ > 0) {
        invent();
    }
}

void Client::invent() {
    using Type = RegistrationType;
    constexpr Type types[]{Type::addClient,    Type::addClient,    Type::addEvents,
                           Type::removeEvents, Type::removeClient, Type::addEvents};
    --messagesLeft_;
    message_ = support::ClientMessage{types[simulation_.draw(std::size(types))],
                                      static_cast<support::Events>(simulation_.draw(1U << classes))};
}

void Client::send() {
    auto& nodes = simulation_.nodes_;
    auto& node = *nodes[simulation_.draw(nodes.size())];
    auto copy = std::make_shared<Copy>();
    const registry::Request request{addressOf(port_), message_->type, eventsOf(message_->events)};
    const bool isTaken =
        node.submit(request, [this, copy](const commit::Outcome& outcome) { onAnswer(*copy, outcome); });
    if (!isTaken) return;
    simulation_.trace(
        fmt::format("{} sends {} {:b} to {}", text(), name(message_->type), message_->events, node.name()));
    copy_ = std::move(copy);
}

void Client::onAnswer(Copy& copy, const commit::Outcome& outcome) {
    if (!copy.isWaitedFor) return;
    if (!outcome.reply) return stopWaiting("client left without a reply");
    if (!simulation_.isQuiet_ && simulation_.draw(1000) < 60) return stopWaiting("reply lost");
    copy_.reset();
    told(outcome.reply->code, outcome.registrations);
}

void Client::stopWaiting(const char* why) {
    simulation_.count(why);
    simulation_.trace(fmt::format("{}: {}", text(), why));
    copy_->isWaitedFor = false;
    copy_.reset();
    history_.unanswered(*message_);
    check();
    if (simulation_.draw(10) == 0) message_.reset();
}

void Client::told(StatusCode code, std::size_t registrations) {
    simulation_.trace(fmt::format("{} is told {} ({})", text(), name(code), registrations));
    simulation_.count(fmt::format("client answered {}", name(code)).c_str());
    history_.answered(*message_, code, registrations);
    check();
    if (code == StatusCode::systemError && !simulation_.mutation_.judgeByAnswersOnly)
        simulation_.report(text() + " was told SYSTEM_ERROR, which nothing here justifies");
    const bool isDone = code == StatusCode::ok || code == StatusCode::fail;
    if (isDone || simulation_.draw(5) == 0) message_.reset();
}

void Client::look() {
    const auto row = simulation_.etcd_.row(etcd::Keys("/crnpd").client(addressOf(port_)));
    std::optional<support::Events> seen;
    if (row) {
        const auto change = etcd::decodeRow(etcd::Keys("/crnpd"), row->key, row->value);
        if (!change) return simulation_.report(change.error().text);
        if (const auto* record = std::get_if<ClientRecord>(&*change)) {
            seen = 0;
            const auto events = decodeRegistrations(record->registrations);
            for (const auto& event : *events)
                *seen |= 1U << (event.eventClass.at(0) - 'A');
        }
    }
    history_.seen(seen);
    check();
}

void Client::check() {
    if (!history_.violation().empty()) simulation_.report(text() + ": " + history_.violation());
}

}  // namespace crnpd::simulation
