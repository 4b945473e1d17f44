// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/commit/acts.h"

#include <utility>

#include "common/event_codec.h"

namespace crnpd::commit {
namespace {

template <typename... Functions>
struct Overloaded : Functions... {
    using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

Reply refusalFor(const Error& reason) {
    switch (reason.code) {
        case ErrorCode::noSpace:
            return {StatusCode::lowResource,
                    "nothing was changed: the server's disk or memory is full; try again later"};
        case ErrorCode::busy:
            return {StatusCode::retry,
                    "nothing was changed: the registrations cannot be written at the moment; repeat"};
        case ErrorCode::superseded:
            return {StatusCode::retry, "nothing was changed: this server is handing over; repeat"};
        default:
            return {StatusCode::systemError,
                    "nothing was changed: the server cannot write its registrations; tell the cluster's "
                    "administrator"};
    }
}

// Whoever publishes knows three reasons why nothing was published.
Error publisherError(const Error& reason) {
    switch (reason.code) {
        case ErrorCode::noSpace:
        case ErrorCode::busy:
            return reason;
        case ErrorCode::superseded:
            return {ErrorCode::busy, "nothing was published: this server is handing over; repeat"};
        default:
            return {ErrorCode::io, reason.text};
    }
}

}  // namespace

Publication::Publication(std::shared_ptr<const Event> what, std::optional<std::string> postedAs,
                         Published whom)
    : event(std::move(what)),
      record(encodeEvent(*event)),
      post(std::move(postedAs)),
      published(std::move(whom)) {}

Extent extentOf(const Act& act, const registry::Staging& staging) {
    return std::visit(Overloaded{
                          [&](const Submission& one) {
                              return Extent{1, staging.bytesAtMost(one.request)};
                          },
                          [](const Publication& one) {
                              return one.post ? Extent{2, one.record.size() + one.post->size()}
                                              : Extent{1, one.record.size()};
                          },
                          [](const Eviction&) {
                              return Extent{1, 0};
                          },
                          [](const Keeping& one) {
                              return Extent{one.released.size() + (one.mark ? 1 : 0),
                                            one.mark ? registry::Staging::bytesOf(*one.mark) : 0};
                          },
                      },
                      act);
}

bool wouldHideANumber(const Act& act, const registry::Staging& staging) {
    const auto* message = std::get_if<Submission>(&act);
    if (message != nullptr && message->request.type == RegistrationType::removeClient)
        return staging.hasNewNumber(message->request.client);
    const auto* eviction = std::get_if<Eviction>(&act);
    return eviction != nullptr && staging.hasNewNumber(eviction->client);
}

registry::Decision decide(Act& act, registry::Staging& staging, WallTime now) {
    return std::visit(Overloaded{
                          [&](Submission& one) { return staging.decide(one.request, now); },
                          [&](Publication& one) {
                              return staging.publish(std::move(one.event), std::move(one.record),
                                                     std::move(one.post));
                          },
                          [&](Eviction& one) { return staging.evict(one.client, one.heard, now); },
                          [&](Keeping& one) { return staging.keep(std::move(one.mark), one.released); },
                      },
                      act);
}

void answer(const Act& act, registry::Decision& decision) {
    std::visit(Overloaded{
                   [&](const Submission& one) {
                       one.completion({std::move(decision.reply), decision.registrations});
                   },
                   [&](const Publication& one) { one.published(decision.sequence); },
                   [&](const Eviction& one) {
                       one.evicted(decision.reply.code == StatusCode::ok ? Removal::removed : Removal::spoke);
                   },
                   [](const Keeping& one) { one.kept(true); },
               },
               act);
}

void refuse(const Act& act, const Error& reason) {
    std::visit(Overloaded{
                   [&](const Submission& one) {
                       one.completion({refusalFor(reason), 0});
                   },
                   [&](const Publication& one) { one.published(publisherError(reason)); },
                   [](const Eviction& one) { one.evicted(Removal::impossible); },
                   [](const Keeping& one) { one.kept(false); },
               },
               act);
}

void leaveUnanswered(const Act& act, const Error& reason) {
    std::visit(Overloaded{
                   [](const Submission& one) {
                       one.completion({std::nullopt, 0});
                   },
                   [&](const Publication& one) {
                       one.published(Error{ErrorCode::superseded, reason.text});
                   },
                   [](const Eviction& one) { one.evicted(Removal::impossible); },
                   [](const Keeping& one) { one.kept(false); },
               },
               act);
}

}  // namespace crnpd::commit
