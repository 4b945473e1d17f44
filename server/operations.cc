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

// Between two signs of life while a restore is written.
constexpr std::chrono::seconds signOfLife{1};

Error tooMuch(const std::string& what) {
    return {ErrorCode::invalidArgument, "nothing was changed: " + what + "; raise it and restore again"};
}

// The rules that a client's own message would have met.
Result<void> checkLimits(const Snapshot& rows, const config::Settings& settings, std::size_t storeLimit) {
    if (rows.clients.size() > settings.maxClients) {
        return tooMuch(fmt::format("the dump has {} clients, and max_clients is {}", rows.clients.size(),
                                   settings.maxClients));
    }
    const auto& limits = settings.limits;
    for (const auto& client : rows.clients) {
        if (const auto count = countRegistrations(client.registrations);
            count > limits.registrationsPerClient) {
            return tooMuch(fmt::format("{} has {} registrations, and limits.registrations_per_client is {}",
                                       client.client.text(), count, limits.registrationsPerClient));
        }
        if (client.registrations.size() > limits.messageBytes) {
            return tooMuch(
                fmt::format("the registrations of {} take {} bytes, and limits.message_bytes is {}",
                            client.client.text(), client.registrations.size(), limits.messageBytes));
        }
        if (client.registrations.size() > storeLimit) {
            return tooMuch(
                fmt::format("the registrations of {} take {} bytes, and this store takes {} of one client",
                            client.client.text(), client.registrations.size(), storeLimit));
        }
    }
    return {};
}

const Error outOfDate{ErrorCode::io,
                      "what the store holds is not known, because it cannot be read: look at the log and at "
                      "the store, then ask again"};

Error notEmpty(std::size_t clients) {
    return {ErrorCode::io,
            fmt::format("nothing was changed: {} {} registered here, and a restore needs a store without "
                        "clients: another store.path or store.etcd.prefix, or crnpctl client remove for each",
                        clients, clients == 1 ? "client is" : "clients are")};
}

control::Progress progressOf(delivery::ClientProgress&& progress) {
    control::Progress shown;
    shown.position = progress.position;
    shown.waiting = progress.waiting;
    shown.failures = progress.failures;
    shown.isUnderWay = progress.underWay;
    shown.isGivenUp = progress.leaving;
    shown.nextIn = progress.nextIn;
    for (auto& attempt : progress.attempts)
        shown.attempts.push_back({attempt.at, attempt.event, std::move(attempt.result)});
    return shown;
}

}  // namespace

Error ServerOperations::notActive() const {
    const auto leader = failover_.leader();
    return {ErrorCode::busy,
            fmt::format("this server is not active ({}{}); ask the active one", name(failover_.role().role),
                        leader.empty() ? "" : "; active is " + leader)};
}

template <typename Question>
auto ServerOperations::askAnyway(Question question) const
    -> Result<std::invoke_result_t<Question, const commit::View&>> {
    using Answer = std::invoke_result_t<Question, const commit::View&>;
    const auto serving = state_.serving();
    auto answer = std::make_shared<std::promise<Answer>>();
    auto future = answer->get_future();
    if (!serving ||
        !serving->committer().ask([answer, question = std::move(question)](const commit::View& view) {
            try {
                answer->set_value(question(view));
            } catch (...) {  // out of memory: the one who asks is told, the committer goes on
                answer->set_exception(std::current_exception());
            }
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

template <typename Question>
auto ServerOperations::ask(Question question) const
    -> Result<std::invoke_result_t<Question, const commit::View&>> {
    using Answer = Result<std::invoke_result_t<Question, const commit::View&>>;
    auto answer = askAnyway([question = std::move(question)](const commit::View& view) {
        return view.isCurrent ? Answer(question(view)) : Answer(outOfDate);
    });
    return answer ? *std::move(answer) : Answer(answer.error());
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
    if (!serving) {
        if (const auto copy = backend_.copy(); copy && copy->isComplete) {
            status.clients = copy->clients;
            status.revision = copy->batch;
        }
        return status;
    }
    struct Numbers {
        BatchId head;
        std::size_t clients, removals;
    };
    if (const auto numbers = askAnyway([](const commit::View& view) {
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
                    summaries.push_back({address, countRegistrations(entry->registrations.view())});
            }
            return summaries;
        });
        if (!found) return found.error();
        all.insert(all.end(), found->begin(), found->end());
    }
    return all;
}

Result<control::ClientDetails> ServerOperations::client(const CallbackAddress& address) {
    struct Found {
        registry::Entry entry;
        IpAddress via;
        Sequence last;
    };
    const auto found = ask([address](const commit::View& view) -> std::optional<Found> {
        const auto* const entry = view.registry.client(address);
        if (entry == nullptr) return std::nullopt;
        return Found{*entry, view.registry.via(*entry), view.registry.last()};
    });
    if (!found) return found.error();
    if (!*found)
        return Error{ErrorCode::notFound, fmt::format("no client is registered at {}", address.text())};
    auto events = decodeRegistrations((*found)->entry.registrations.view());
    if (!events) return events.error();
    control::ClientDetails details{address,       (*found)->entry.id, std::move(*events),
                                   (*found)->via, (*found)->last,     std::nullopt};
    if (const auto serving = state_.serving()) {
        if (auto progress = serving->delivery().clientProgress(address))
            details.progress = progressOf(std::move(*progress));
    }
    return details;
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

Result<Sequence> ServerOperations::publish(Event event) {
    const auto publisher = state_.publisher();
    if (!publisher) return notActive();
    if (event.vendor.empty()) event.vendor = state_.settings()->delivery.vendor;
    return publisher->publish(std::move(event));
}

Result<control::Events> ServerOperations::events(std::size_t most) {
    const auto serving = state_.serving();
    if (!serving) return notActive();
    const auto progress = serving->delivery().events(most);
    if (!progress) return Error{ErrorCode::io, "the delivery has not answered in time: look at the log"};
    control::Events events{
        progress->head, progress->mark.upTo, progress->mark.laggards.size(), progress->behind, {}};
    for (const auto& event : progress->events)
        events.last.push_back({event.sequence, event.event, event.wanted, event.have});
    return events;
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

Result<control::Dump> ServerOperations::dump() {
    auto rows = ask([](const commit::View& view) {
        auto all = view.registry.snapshot();
        all.head = view.head;
        return all;
    });
    if (!rows) return rows.error();
    return control::Dump{std::move(*rows), clock_.wall()};
}

Result<void> ServerOperations::mayRestore() {
    const auto clients = ask([](const commit::View& view) { return view.registry.clients(); });
    if (!clients) return clients.error();
    if (*clients > 0) return notEmpty(*clients);
    return {};
}

Result<void> ServerOperations::restore(Snapshot rows, const std::function<void()>& stillWorking) {
    if (auto may = mayRestore(); !may) return may;
    const auto serving = state_.serving();
    if (!serving) return notActive();
    if (auto fits = checkLimits(rows, *state_.settings(), serving->committer().bytesLimit()); !fits)
        return fits;
    auto answer = std::make_shared<std::promise<Result<void>>>();
    auto future = answer->get_future();
    if (!serving->committer().fill(std::move(rows),
                                   [answer](const Result<void>& filled) { answer->set_value(filled); })) {
        return notActive();
    }
    while (future.wait_for(signOfLife) != std::future_status::ready)
        stillWorking();
    auto filled = future.get();
    if (filled) return filled;
    const auto& why = filled.error();
    const bool isCertain = why.code == ErrorCode::noSpace || why.code == ErrorCode::busy;
    // Busy is also a store that is locked, or clients that came meanwhile: not a matter of the role.
    const bool leads = failover_.role().role == failover::Role::active;
    return Error{leads ? ErrorCode::io : why.code,
                 isCertain ? "nothing was changed: " + why.text
                           : why.text +
                                 "; look with crnpctl status whether the clients are there, on the "
                                 "server that is active now"};
}

}  // namespace crnpd
