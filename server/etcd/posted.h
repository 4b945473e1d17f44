// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// On the active server: what standbys have posted (post.h).
//
// Promise    Each post that nobody has answered is handed over once a term, after it was marked as taken:
// then
//            the standby that posted it cannot take it back. What has been answered or refused is cleared
//            away after `sweepTime` to twice of it, should its poster have died.
// Threads    One of its own, on which `taken` is called; it must not block for long nor destroy this. To be
//            made after the store was loaded: only then can no earlier leader answer any more. refuse() from
//            any.
// Errors     While etcd does not answer posts stay where they are. A post that holds no event is deleted and
//            logged.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <thread>

#include "common/message.h"
#include "server/etcd/key_value.h"
#include "server/etcd/keys.h"
#include "server/etcd/leases.h"
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
    Posted(KeyValue& etcd, Watches& watches, Keys keys, store::Term term, Taken taken, Options options);
    ~Posted();
    Posted(const Posted&) = delete;
    Posted& operator=(const Posted&) = delete;

    // It was not published and will not be: its poster need not wait any longer. If etcd does not answer, it
    // does.
    void refuse(const std::string& post) noexcept;

private:
    void run(const std::stop_token& stop);
    [[nodiscard]] bool round(const std::stop_token& stop);
    // The revision as of which all were seen; 0 if they could not be read.
    [[nodiscard]] Revision list();
    [[nodiscard]] bool see(const Row& row);
    [[nodiscard]] bool take(const Row& row, const std::string& id, const std::string& text);
    void sweep(const Row& row);
    [[nodiscard]] Condition weLead() const;

    KeyValue& etcd_;
    Watches& watches_;
    const Keys keys_;
    const store::Term term_;
    const Taken taken_;
    const Options options_;
    std::set<std::string> handed_;                // ids, until their rows are gone
    std::map<std::string, Revision> settled_;     // answered or refused, as the last listing found them
    std::map<std::string, Revision> settledNow_;  // the same of this listing
    std::jthread thread_;
};

}  // namespace crnpd::etcd
