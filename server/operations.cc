// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/operations.h"

#include <algorithm>
#include <future>
#include <span>

#include <fmt/format.h>

#include "common/registration_codec.h"

namespace crnpd {
namespace {

// Clients looked up at a time, so that a long list keeps nobody's registration waiting.
constexpr std::size_t lookedUpAtOnce = 10000;

}  // namespace

Error ServerOperations::notActive() const {
    const auto leader = failover_.leader();
    return {ErrorCode::busy,
            fmt::format("this server is not active ({}{}); ask the active one", name(failover_.role().role),
                        leader.empty() ? "" : "; active is " + leader)};
}

template <typename Question>
auto ServerOperations::ask(Question question) const
    -> Result<std::invoke_result_t<Question, const commit::View&>> {
    using Answer = std::invoke_result_t<Question, const commit::View&>;
    const auto serving = state_.serving();
    auto answer = std::make_shared<std::promise<Answer>>();
    auto future = answer->get_future();
    if (!serving ||
        !serving->committer().ask([answer, question = std::move(question)](const commit::View& view) {
            answer->set_value(question(view));
        })) {
        return notActive();
    }
    if (future.wait_for(patience) != std::future_status::ready) {
        return Error{ErrorCode::io,
                     fmt::format("the server has not answered within {} s: a commit is taking that long; "
                                 "look at the disk",
                                 patience.count())};
    }
    return future.get();
}

std::chrono::seconds ServerOperations::uptime() const {
    return std::chrono::duration_cast<std::chrono::seconds>(clock_.steady() - started_);
}

control::RoleAnswer ServerOperations::role() {
    const auto now = failover_.role();
    control::RoleAnswer answer{std::string(name(now.role)), now.reason, failover_.term(), {}, {}};
    if (now.role != failover::Role::active) {
        answer.leader = failover_.leader();
        answer.why = failover_.whyNotActive();
    }
    return answer;
}

Result<void> ServerOperations::stepDown() {
    auto begun = failover_.handOver("an operator asked it to step down");
    if (begun) return begun;
    return Error{begun.error().code,
                 fmt::format("nothing was changed: this server is not active ({})", begun.error().text)};
}

control::Status ServerOperations::status() {
    control::Status status;
    const auto settings = state_.settings();
    status.role = role();
    status.storeKind = name(settings->store.kind);
    status.storePath = settings->store.place();
    status.uptimeSeconds = static_cast<std::uint64_t>(uptime().count());

    const auto serving = state_.serving();
    if (!serving) return status;
    struct Numbers {
        BatchId head;
        std::size_t clients, removals;
    };
    if (const auto numbers = ask([](const commit::View& view) {
            return Numbers{view.head, view.registry.clients(), view.registry.removals()};
        })) {
        status.revision = numbers->head;
        status.clients = numbers->clients;
        status.removals = numbers->removals;
    }
    status.connections = serving->connections();
    for (const auto& address : serving->listening())
        status.listen.push_back(address.text());
    const auto statistics = serving->statistics();
    for (std::size_t i = 0; i < statistics.replies.size(); ++i) {
        if (statistics.replies[i] > 0)
            status.replies.emplace(name(static_cast<StatusCode>(i)), statistics.replies[i]);
    }
    if (statistics.unanswered > 0) status.replies.emplace("none", statistics.unanswered);
    return status;
}

Result<std::vector<control::ClientSummary>> ServerOperations::clients() {
    auto addresses = ask([](const commit::View& view) { return view.registry.clientAddresses(); });
    if (!addresses) return addresses.error();

    std::vector<control::ClientSummary> all;
    all.reserve(addresses->size());
    for (std::span<const CallbackAddress> rest = *addresses; !rest.empty();) {
        const auto some = rest.first(std::min(rest.size(), lookedUpAtOnce));
        rest = rest.subspan(some.size());
        auto found = ask([wanted = std::vector(some.begin(), some.end())](const commit::View& view) {
            std::vector<control::ClientSummary> summaries;
            for (const auto& address : wanted) {
                const auto* const entry = view.registry.client(address);
                if (entry != nullptr)
                    summaries.push_back({address, countRegistrations(entry->registrations)});
            }
            return summaries;
        });
        if (!found) return found.error();
        all.insert(all.end(), found->begin(), found->end());
    }
    return all;
}

Result<control::ClientDetails> ServerOperations::client(const CallbackAddress& address) {
    const auto found = ask([address](const commit::View& view) -> std::optional<registry::Entry> {
        const auto* const entry = view.registry.client(address);
        return entry == nullptr ? std::nullopt : std::optional(*entry);
    });
    if (!found) return found.error();
    if (!*found)
        return Error{ErrorCode::notFound, fmt::format("no client is registered at {}", address.text())};
    auto events = decodeRegistrations((*found)->registrations);
    if (!events) return events.error();
    return control::ClientDetails{address, (*found)->id, std::move(*events)};
}

Result<Reply> ServerOperations::remove(const CallbackAddress& address) {
    const auto serving = state_.serving();
    if (!serving) return notActive();
    auto answer = std::make_shared<std::promise<std::optional<Reply>>>();
    auto future = answer->get_future();
    serving->committer().submit(
        {address, RegistrationType::removeClient, {}},
        [answer](const commit::Outcome& outcome) { answer->set_value(outcome.reply); });
    if (future.wait_for(patience) == std::future_status::ready) {
        if (auto reply = future.get()) return std::move(*reply);
    }
    return Error{
        ErrorCode::io,
        fmt::format("it is not known whether {} was removed: look with crnpctl client show, and at the disk",
                    address.text())};
}

control::AccessAnswer ServerOperations::access(const IpAddress& address) {
    const auto list = state_.access();
    const auto verdict = list->decide(address);
    control::AccessAnswer answer;
    answer.allowed = verdict.allowed;
    if (verdict.entry != nullptr) {
        answer.list = verdict.allowed ? "allow_hosts" : "deny_hosts";
        answer.entry = verdict.entry->text();
    }
    if (verdict.network != nullptr) answer.network = verdict.network->text();
    answer.text = verdict.text();
    return answer;
}

}  // namespace crnpd
