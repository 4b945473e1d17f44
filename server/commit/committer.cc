// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/commit/committer.h"

#include <cassert>
#include <utility>

#include <fmt/format.h>

#include "common/messages.h"

namespace crnpd::commit {
namespace {

// Old removals leave in small portions beside the requests, never as a batch that somebody waits for.
constexpr std::size_t forgottenPerBatch = 64;

Reply refusalFor(const Error& reason) {
    switch (reason.code) {
        case ErrorCode::noSpace:
            return {StatusCode::lowResource,
                    "nothing was changed: the server's disk or memory is full; try again later"};
        case ErrorCode::busy:
            return {StatusCode::retry,
                    "nothing was changed: the registrations cannot be written at the moment; repeat"};
        default:
            return {StatusCode::systemError,
                    "nothing was changed: the server cannot write its registrations; tell the cluster's "
                    "administrator"};
    }
}

}  // namespace

Committer::Committer(store::RegistrationStore& store, const Clock& clock, const registry::Rules& rules,
                     Options options)
    : store_(store), clock_(clock), options_(options), registry_(rules) {}

Committer::~Committer() {
    stop();
}

void Committer::start(Snapshot snapshot) {
    assert(!thread_.joinable());
    reload(std::move(snapshot));
    {
        const std::scoped_lock lock(mutex_);
        open_ = true;
    }
    thread_ = std::thread([this] { run(); });
}

void Committer::stop() {
    {
        const std::scoped_lock lock(mutex_);
        open_ = false;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void Committer::submit(registry::Request request, Completion completion) {
    Task task = Submission{std::move(request), std::move(completion)};
    if (enqueue(task)) return;
    std::get<Submission>(task).completion(
        {Reply{StatusCode::retry, "nothing was changed: this server is stopping or standing by; repeat"}, 0});
}

bool Committer::ask(Question question) {
    Task task = std::move(question);
    return enqueue(task);
}

void Committer::setRules(const registry::Rules& rules) {
    ask([this, rules](const View&) { registry_.setRules(rules); });
}

// Takes the task, or leaves it untouched where the queue is closed.
bool Committer::enqueue(Task& task) {
    {
        const std::scoped_lock lock(mutex_);
        if (!open_) return false;
        queue_.push_back(std::move(task));
    }
    wake_.notify_one();
    return true;
}

void Committer::run() {
    for (auto tasks = take(); !tasks.empty(); tasks = take())
        process(std::move(tasks));
}

// Empty once the queue is closed and everything in it was taken.
std::vector<Committer::Task> Committer::take() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return !queue_.empty() || !open_; });
    return std::exchange(queue_, {});
}

void Committer::process(std::vector<Task> tasks) {
    std::vector<Submission> submissions;
    std::vector<Question> questions;
    submissions.reserve(tasks.size());
    for (auto& task : tasks) {
        if (auto* submission = std::get_if<Submission>(&task)) {
            submissions.push_back(std::move(*submission));
        } else {
            questions.push_back(std::move(std::get<Question>(task)));
        }
    }
    for (std::span<Submission> rest = submissions; !rest.empty();)
        rest = commitGroup(rest);
    for (const auto& question : questions)
        question({registry_, head_});
}

std::span<Committer::Submission> Committer::commitGroup(std::span<Submission> submissions) {
    if (lost_ && !recover(submissions)) return {};

    registry::Staging staging(registry_);
    std::vector<Pending> pending;
    const auto now = clock_.wall();
    while (!submissions.empty() && staging.size() < store_.batchLimit()) {
        auto& submission = submissions.front();
        auto decision = staging.decide(submission.request, now);
        if (decision.provisional) {
            pending.push_back({std::move(submission.completion), std::move(decision)});
        } else {
            submission.completion({std::move(decision.reply), decision.registrations});
        }
        submissions = submissions.subspan(1);
    }
    if (!pending.empty()) {
        staging.forgetOldRemovals(now, std::min(forgottenPerBatch, store_.batchLimit() - staging.size()));
        finish(std::move(staging), pending);
    }
    return submissions;
}

void Committer::finish(registry::Staging&& staging, std::span<Pending> pending) {
    const auto changes = staging.changes();
    const BatchId batch = head_ + 1;
    auto outcome = store_.commit(batch, changes);
    if (outcome.state == store::CommitState::unknown) {
        log(msg::commitUnknown, batch, changes.size(), outcome.reason.text);
        outcome = store_.outcomeOf(batch, options_.outcomeLimit);
    }

    switch (outcome.state) {
        case store::CommitState::committed:
            head_ = batch;
            adopt(registry_, std::move(staging));
            for (auto& [completion, decision] : pending)
                completion({std::move(decision.reply), decision.registrations});
            return;
        case store::CommitState::notCommitted: {
            log(msg::commitRefused, pending.size(), outcome.reason.text);
            const auto refusal = refusalFor(outcome.reason);
            for (const auto& [completion, decision] : pending)
                completion({refusal, 0});
            return;
        }
        case store::CommitState::unknown:
            log(msg::outcomeNotFound, pending.size(), outcome.reason.text);
            lost_ = true;
            for (const auto& [completion, decision] : pending)
                completion({std::nullopt, 0});
            return;
    }
}

// What the store holds is the truth again. Refuses `submissions` where even that cannot be read.
bool Committer::recover(std::span<Submission> submissions) {
    auto snapshot = store_.load();
    if (snapshot) {
        log(msg::storeReloaded, snapshot->head, snapshot->clients.size());
        reload(std::move(*snapshot));
        return true;
    }
    log(msg::storeStillBroken, submissions.size(), snapshot.error().text);
    const auto refusal = refusalFor({ErrorCode::io, {}});
    for (const auto& submission : submissions)
        submission.completion({refusal, 0});
    return false;
}

void Committer::reload(Snapshot&& snapshot) {
    head_ = snapshot.head;
    registry_.load(std::move(snapshot));
    lost_ = false;
}

}  // namespace crnpd::commit
