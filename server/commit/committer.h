// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The one place where a request becomes a promise: a thread that decides messages, events and what the
// delivery keeps in the order in which they were handed in, commits their changes in groups and only then
// lets anybody be answered.
//
// Promise    GroupCommit's (group_commit.h).
// Grouping   While one batch is being committed the next gathers; there is no timer. A lone client pays
//            one commit, a thousand clients share one.
// Threads    submit(), publish(), remove(), keep(), ask(), fill() and abandon() may be called from any
//            thread. Callbacks (acts.h) and questions run on the committer's own thread, must not block and
//            must not throw; so do Superseded and the Audience. Where it is not started any more, callbacks
//            run inside the call.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
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
    void start(const Snapshot& snapshot);

    // Decides, commits and answers what was submitted, then ends. What comes later is answered RETRY.
    void stop();

    // This server does not lead any more: what is not being committed already is answered RETRY, and what is
    // and cannot be found out at once is left without a reply. stop() comes next.
    void abandon(const std::string& reason);

    void submit(registry::Request request, Completion completion);

    // Gives the event its number and stores it; with `post` the same commit says what became of that post.
    // noSpace also where it is larger than Rules::bytesPerEvent or than what the store takes.
    void publish(std::shared_ptr<const Event> event, std::optional<std::string> post, Published published);

    // Removes a client that cannot be reached, if it has not spoken since what was heard up to that number.
    void remove(const CallbackAddress& client, NewsNumber heard, Evicted done);

    // Stores how far the delivery is and deletes what nobody needs, in several commits where it is much, the
    // mark with the last of them.
    void keep(MarkRecord mark, std::vector<Sequence> released, Kept done);

    // Runs `question` after the batch that is being committed. False, and not run, when not started.
    bool ask(Question question);

    // Puts `rows` into a store that holds no clients. False, and nothing is called, when not started.
    bool fill(Snapshot rows, Filled filled);

    // What the store takes of one client's registrations at most; may be asked when the store is gone.
    [[nodiscard]] std::size_t bytesLimit() const noexcept { return bytesLimit_; }
    // GroupCommit's.
    [[nodiscard]] std::shared_ptr<const std::atomic<bool>> isAtLongWork() const {
        return group_.isAtLongWork();
    }

    // Applies from the next batch on.
    void setRules(const registry::Rules& rules);

private:
    struct Fill {
        Snapshot rows;
        Filled filled;
    };
    // What has gathered, apart, so that it is handed on without being copied: nothing of it can be lost for
    // want of memory.
    struct Waiting {
        std::vector<Act> acts;
        std::vector<std::variant<Question, Fill>> others;

        [[nodiscard]] bool isEmpty() const noexcept { return acts.empty() && others.empty(); }
    };

    template <typename Task>
    bool enqueue(std::vector<Task>& queue, auto& task);
    void add(Act act);
    void run();
    [[nodiscard]] Waiting take();
    void process(Waiting waiting);

    store::RegistrationStore& store_;
    const std::size_t bytesLimit_;
    GroupCommit group_;  // the committer thread's own

    std::mutex mutex_;
    std::condition_variable wake_;
    Waiting waiting_;
    bool open_ = false;
    std::string abandoned_;  // why; empty: it is not

    std::thread thread_;
};

}  // namespace crnpd::commit
