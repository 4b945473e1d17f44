// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/commit/committer.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace crnpd::commit {

Committer::Committer(store::RegistrationStore& store, const Clock& clock, const registry::Rules& rules,
                     Options options)
    : store_(store), bytesLimit_(store.bytesLimit()), group_(store, clock, rules, std::move(options)) {}

Committer::~Committer() {
    stop();
}

void Committer::start(const Snapshot& snapshot) {
    assert(!thread_.joinable());
    group_.load(snapshot);
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
    Act act = Submission{std::move(request), std::move(completion)};
    if (enqueue(waiting_.acts, act)) return;
    std::get<Submission>(act).completion(
        {Reply{StatusCode::retry, "nothing was changed: this server is stopping or standing by; repeat"}, 0});
}

void Committer::publish(std::shared_ptr<const Event> event, std::optional<std::string> post,
                        Published published) {
    add(Publication(std::move(event), std::move(post), std::move(published)));
}

void Committer::remove(const CallbackAddress& client, NewsNumber heard, Evicted done) {
    add(Eviction{client, heard, std::move(done)});
}

void Committer::keep(MarkRecord mark, std::vector<Sequence> released, Kept done) {
    const auto most = store_.batchLimit();
    const auto isAllKept = std::make_shared<std::atomic<bool>>(true);
    while (released.size() + 1 > most && !released.empty()) {
        const auto from = released.end() - static_cast<std::ptrdiff_t>(std::min(most, released.size()));
        add(Keeping{std::nullopt, {from, released.end()}, [isAllKept](bool kept) {
                        if (!kept) *isAllKept = false;
                    }});
        released.erase(from, released.end());
    }
    add(Keeping{std::move(mark), std::move(released),
                [isAllKept, done = std::move(done)](bool kept) { done(kept && *isAllKept); }});
}

void Committer::add(Act act) {
    if (enqueue(waiting_.acts, act)) return;
    refuse(act, {ErrorCode::busy, "this server is stopping or standing by; repeat"});
}

bool Committer::ask(Question question) {
    return enqueue(waiting_.others, question);
}

bool Committer::fill(Snapshot rows, Filled filled) {
    Fill task{std::move(rows), std::move(filled)};
    return enqueue(waiting_.others, task);
}

void Committer::setRules(const registry::Rules& rules) {
    ask([this, rules](const View&) { group_.setRules(rules); });
}

// Takes the task, or leaves it untouched where the queue is closed.
template <typename Task>
bool Committer::enqueue(std::vector<Task>& queue, auto& task) {
    {
        const std::scoped_lock lock(mutex_);
        if (!open_) return false;
        queue.emplace_back(std::move(task));
    }
    wake_.notify_one();
    return true;
}

void Committer::run() {
    for (auto waiting = take(); !waiting.isEmpty(); waiting = take())
        process(std::move(waiting));
}

// Empty once the queue is closed and everything in it was taken.
Committer::Waiting Committer::take() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return !waiting_.isEmpty() || !open_; });
    if (!abandoned_.empty()) group_.end(abandoned_);
    return std::exchange(waiting_, {});
}

// A store that cannot be read is tried once in each round, not for each question.
void Committer::process(Waiting waiting) {
    if (waiting.acts.empty()) group_.lookAgain();
    group_.process(waiting.acts);
    for (auto& other : waiting.others) {
        if (const auto* question = std::get_if<Question>(&other)) (*question)(group_.view());
        if (auto* fill = std::get_if<Fill>(&other)) fill->filled(group_.fill(fill->rows));
    }
}

}  // namespace crnpd::commit
