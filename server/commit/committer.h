// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The one place where a request becomes a promise: a thread that decides requests in the order in which they
// were submitted, commits their changes in groups and only then lets anybody be answered.
//
// Promise    GroupCommit's (group_commit.h).
// Grouping   While one batch is being committed the next gathers; there is no timer. A lone client pays
//            one commit, a thousand clients share one.
// Threads    submit(), ask(), fill() and abandon() may be called from any thread. Completions and questions
//            run on the committer's own thread, must not block and must not throw; so does Superseded.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "common/clock.h"
#include "server/commit/group_commit.h"

namespace crnpd::commit {

class Committer {
public:
    using Options = GroupCommit::Options;
    using Filled = std::function<void(const Result<void>&)>;

    Committer(store::RegistrationStore& store, const Clock& clock, const registry::Rules& rules,
              Options options);
    ~Committer();
    Committer(const Committer&) = delete;
    Committer& operator=(const Committer&) = delete;

    // Takes over with what the store holds.
    void start(Snapshot snapshot);

    // Decides, commits and answers what was submitted, then ends. What comes later is answered RETRY.
    void stop();

    // This server does not lead any more: what is not being committed already is answered RETRY, and what is
    // and cannot be found out at once is left without a reply. stop() comes next.
    void abandon(const std::string& reason);

    void submit(registry::Request request, Completion completion);

    // Runs `question` after the batch that is being committed. False, and not run, when not started.
    bool ask(Question question);

    // Puts `rows` into a store that holds no clients. False, and nothing is called, when not started.
    bool fill(Snapshot rows, Filled filled);

    // That takes as long as it takes: no sign that the thread is stuck.
    [[nodiscard]] bool isFilling() const noexcept { return isFilling_; }

    // Applies from the next batch on.
    void setRules(const registry::Rules& rules);

private:
    struct Fill {
        Snapshot rows;
        Filled filled;
    };
    using Task = std::variant<Submission, Question, Fill>;

    bool enqueue(Task& task);
    void run();
    [[nodiscard]] std::vector<Task> take();
    void process(std::vector<Task> tasks);

    store::RegistrationStore& store_;
    GroupCommit group_;  // the committer thread's own

    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<Task> queue_;
    bool open_ = false;
    std::string abandoned_;  // why; empty: it is not
    std::atomic<bool> isFilling_{false};

    std::thread thread_;
};

}  // namespace crnpd::commit
