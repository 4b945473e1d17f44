// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// On the active server: what standbys have posted (post.h, also for who may say what in which order).
//
// Promise    Each post that nobody has answered is handed over once a term, after it was marked as taken:
//            then the standby that posted it cannot take it back. A refusal is repeated until etcd has
//            answered it, or until this server leads no more: then the next leader decides. What has been
//            answered or refused is cleared away after `sweepTime` to twice of it, should its poster have
//            died.
// Threads    Two of its own: one hands over and clears away, the other one writes refusals, so that neither
//            waits for the other's attempts and no watch is broken off for a refusal. `taken` is called on
//            the first; it must not block for long nor destroy this; if it throws, the post was not handed
//            over and will be again. refuse() from any, also within `taken`; it does not wait for etcd.
//            To be made after the store was loaded: only then can no earlier leader answer any more. The
//            destructor waits for the attempts under way, one of each thread.
// Errors     While etcd does not answer posts stay where they are. A post that holds no event is deleted and
//            logged.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/message.h"
#include "server/etcd/key_value.h"
#include "server/etcd/keys.h"
#include "server/etcd/leases.h"
#include "server/etcd/post.h"
#include "server/store/election.h"

namespace crnpd::etcd {

class Posted {
public:
    // `post` is what PostedAnswer::post has to say.
    using Taken = std::function<void(const std::string& post, std::shared_ptr<const crnpd::Event> event)>;
    struct Options {
        std::chrono::milliseconds sweepTime = std::chrono::minutes{1};
        std::chrono::milliseconds pause{500};  // after what failed
    };

    // All references must outlive it.
    Posted(KeyValue& etcd, Watches& watches, const Clock& clock, Keys keys, store::Term term, Taken taken,
           Options options);
    ~Posted();
    Posted(const Posted&) = delete;
    Posted& operator=(const Posted&) = delete;

    // It was not published and will not be: its poster need not wait any longer. Not for what the next leader
    // may still publish. Nothing happens for what was not handed over or is settled already.
    void refuse(const std::string& post) noexcept;

private:
    // Handed over, and not yet seen settled.
    struct Handed {
        Revision taken = 0;
        bool isRefused = false;  // and etcd does not know yet
    };
    // Answered or refused.
    struct Settled {
        Revision modified = 0;
        SteadyTime since;
    };
    using Refusal = std::pair<std::string, Revision>;

    void run(const std::stop_token& stop);
    [[nodiscard]] bool round(const std::stop_token& stop);
    // The revision as of which all were seen; 0 if they could not be read.
    [[nodiscard]] Revision list(const std::stop_token& stop);
    // False: etcd did not answer, everything has to be looked at again.
    [[nodiscard]] bool see(const Row& row);
    [[nodiscard]] bool take(const Row& row, const std::string& text, crnpd::Event event);
    [[nodiscard]] bool clearUnreadable(const Row& row);
    void settle(const Row& row);
    void forget(const std::string& key);
    void forgetWhatIsGone(Revision at, const std::set<std::string>& keysThen);
    void sweep(const std::stop_token& stop);

    void runRefusals(const std::stop_token& stop);
    [[nodiscard]] std::vector<Refusal> awaitRefusals(const std::stop_token& stop);
    [[nodiscard]] bool write(const std::vector<Refusal>& refusals, const std::stop_token& stop);

    [[nodiscard]] Condition weLead() const;
    [[nodiscard]] Transaction deletion(const std::string& key, Revision modified) const;
    [[nodiscard]] std::string idOf(const std::string& key) const;

    KeyValue& etcd_;
    Watches& watches_;
    const Clock& clock_;
    const Keys keys_;
    const store::Term term_;
    const Taken taken_;
    const Options options_;
    std::map<std::string, Settled> settled_;  // by key; the first thread's

    std::mutex mutex_;
    std::condition_variable_any refused_;
    std::map<std::string, Handed> handed_;  // by id

    std::jthread refusing_;
    std::jthread thread_;
};

}  // namespace crnpd::etcd
