// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The one place where a request becomes a promise: decides requests in the order in which they were
// submitted, commits their changes in groups and only then lets anybody be answered.
//
// Promise    A completion that carries OK is called after the change was committed. Any other reply means
//            that nothing was changed, now or later. No reply means that nobody knows: the connection is
//            closed without one and the client repeats ("outcome is unknown", section 4 of
//            docs/protocol.md).
// Grouping   While one batch is being committed the next gathers; there is no timer. A lone client pays
//            one commit, a thousand clients share one.
// Threads    submit() and ask() may be called from any thread. Completions and questions run on the
//            committer's own thread, must not block and must not throw.
// Failure    A store that refuses costs the requests of that batch their OK and nothing else. When an
//            outcome cannot be found out, the store is loaded anew before the next batch; until that
//            works, requests are answered SYSTEM_ERROR without being attempted.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <variant>
#include <vector>

#include "common/clock.h"
#include "common/message.h"
#include "server/registry/registry.h"
#include "server/store/registration_store.h"

namespace crnpd::commit {

struct Outcome {
    std::optional<Reply> reply;     // nothing: close without a reply
    std::size_t registrations = 0;  // the client's, after the request
};
using Completion = std::function<void(const Outcome&)>;

// The committed state as a question sees it.
struct View {
    const registry::Registry& registry;
    BatchId head;
};
using Question = std::function<void(const View&)>;

class Committer {
public:
    struct Options {
        // How long to look for an unknown outcome before its clients are left without a reply.
        std::chrono::milliseconds outcomeLimit = std::chrono::seconds{10};
    };

    Committer(store::RegistrationStore& store, const Clock& clock, const registry::Rules& rules,
              Options options);
    ~Committer();
    Committer(const Committer&) = delete;
    Committer& operator=(const Committer&) = delete;

    // Takes over with what the store holds.
    void start(Snapshot snapshot);

    // Decides, commits and answers what was submitted, then ends. What comes later is answered RETRY.
    void stop();

    void submit(registry::Request request, Completion completion);

    // Runs `question` after the batch that is being committed. False, and not run, when not started.
    bool ask(Question question);

    // Applies from the next batch on.
    void setRules(const registry::Rules& rules);

private:
    struct Submission {
        registry::Request request;
        Completion completion;
    };
    struct Pending {
        Completion completion;
        registry::Decision decision;
    };
    using Task = std::variant<Submission, Question>;

    bool enqueue(Task& task);
    void run();
    [[nodiscard]] std::vector<Task> take();
    void process(std::vector<Task> tasks);
    // Decides and commits one group from the front of `submissions`; returns what is left.
    std::span<Submission> commitGroup(std::span<Submission> submissions);
    void finish(registry::Staging&& staging, std::span<Pending> pending);
    [[nodiscard]] bool recover(std::span<Submission> submissions);
    void reload(Snapshot&& snapshot);

    store::RegistrationStore& store_;
    const Clock& clock_;
    const Options options_;

    // The committer thread's own.
    registry::Registry registry_;
    BatchId head_ = 0;
    bool lost_ = false;  // the store may hold what the registry does not: load before the next batch

    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<Task> queue_;
    bool open_ = false;

    std::thread thread_;
};

}  // namespace crnpd::commit
