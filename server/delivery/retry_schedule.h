// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// When to try again to reach a client, and when to give it up (section 7 of docs/protocol.md, "Retries").
//
// Promise    The i-th attempt comes no earlier than interval^(i/(count-1)) seconds after the first, the
//            first at once. When `count` attempts in a row failed the client is to be removed. Any message
//            of the client starts all anew, at once; so does a success.
// Lifetime   One for a client while it has events to get; an idle one needs none. It is not stored: who takes
//            over from another server tries anew from the first attempt.
// Threads    One at a time. Time is an input: Clock::steady().
#pragma once

#include <chrono>

#include "common/clock.h"

namespace crnpd::delivery {

struct RetryRules {
    unsigned count = 10;                                             // client_retry_count; at least 1
    std::chrono::milliseconds interval{std::chrono::seconds{1800}};  // client_retry_interval; at least 1 s
};

// How long after the first attempt the i-th (from 0) is due; the interval for every i beyond the last.
[[nodiscard]] std::chrono::milliseconds retryOffset(const RetryRules& rules, unsigned attempt);

class RetrySchedule {
public:
    enum class Verdict { tryAgain, giveUp };

    // When the next attempt may start; in the past means at once. Not to be asked while one is under way.
    [[nodiscard]] SteadyTime due(const RetryRules& rules) const;

    // An attempt starts. One at a time: each is followed by failed() or succeeded().
    void started(SteadyTime now);
    // What to do after it: an attempt that was under way when the client sent a message does not count.
    [[nodiscard]] Verdict failed(const RetryRules& rules);
    void succeeded();

    // The client sent a message of any kind: it is alive.
    void heard();

    // Failed attempts in a row.
    [[nodiscard]] unsigned failures() const noexcept { return failures_; }

private:
    unsigned failures_ = 0;
    SteadyTime first_{};  // when the first of the attempts that count started
    bool underWay_ = false;
    bool outdated_ = false;  // the attempt that is under way does not count
};

}  // namespace crnpd::delivery
