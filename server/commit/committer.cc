// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/commit/committer.h"

#include <cassert>
#include <utility>

namespace crnpd::commit {

Committer::Committer(store::RegistrationStore& store, const Clock& clock, const registry::Rules& rules,
                     Options options)
    : store_(store), group_(store, clock, rules, std::move(options)) {}

Committer::~Committer() {
    stop();
}

void Committer::start(Snapshot snapshot) {
    assert(!thread_.joinable());
    group_.load(std::move(snapshot));
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

void Committer::abandon(const std::string& reason) {
    {
        const std::scoped_lock lock(mutex_);
        abandoned_ = reason.empty() ? "this server does not lead any more" : reason;
    }
    store_.abandon();
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

bool Committer::fill(Snapshot rows, Filled filled) {
    Task task = Fill{std::move(rows), std::move(filled)};
    return enqueue(task);
}

void Committer::setRules(const registry::Rules& rules) {
    ask([this, rules](const View&) { group_.setRules(rules); });
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
    if (!abandoned_.empty()) group_.end(abandoned_);
    return std::exchange(queue_, {});
}

void Committer::process(std::vector<Task> tasks) {
    std::vector<Submission> submissions;
    submissions.reserve(tasks.size());
    for (auto& task : tasks) {
        if (auto* submission = std::get_if<Submission>(&task)) submissions.push_back(std::move(*submission));
    }
    group_.process(submissions);
    for (auto& task : tasks) {
        if (const auto* question = std::get_if<Question>(&task)) (*question)(group_.view());
        if (auto* fill = std::get_if<Fill>(&task)) {
            isFilling_ = true;
            const auto filled = group_.fill(std::move(fill->rows));
            isFilling_ = false;
            fill->filled(filled);
        }
    }
}

}  // namespace crnpd::commit
