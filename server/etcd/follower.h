// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The warm copy of a standby: reads everything once, then follows the changes, so that a takeover needs to
// wait for the last few only.
//
// Promise    What is given away is complete: its sum is the head's. Whenever changes were missed or the sum
//            differs, everything is read anew; now and then it is read and compared in full as well.
// Threads    One of its own between start() and stop(). start() and stop() from one thread, the rest from
//            any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "server/etcd/key_value.h"
#include "server/etcd/keys.h"
#include "server/etcd/leases.h"
#include "server/etcd/mirror.h"
#include "server/etcd/pages.h"
#include "server/etcd/warm_copy.h"

namespace crnpd::etcd {

class Follower final : public WarmCopy {
public:
    struct Options {
        Keys keys{"/crnpd"};
        // Between two comparisons in full.
        std::chrono::milliseconds verifyTime = std::chrono::minutes{10};
        // After what failed.
        std::chrono::milliseconds pause{500};
        Pages::Size page{};
    };
    struct Status {
        bool isComplete = false;  // the rest is of use
        std::size_t clients = 0;
        BatchId batch = 0;
        Revision revision = 0;       // up to which changes are known
        std::uint64_t verified = 0;  // comparisons in full that found the same
        std::string trouble;         // why the copy is behind or missing, if it is
    };

    // All references must outlive it.
    Follower(KeyValue& etcd, Watches& watches, Options options);
    ~Follower() override;

    // Begins; begins anew where the copy was given away. Does nothing while it runs.
    void start();
    // Ends and forgets the copy; waits for an attempt that is under way.
    void stop();

    // Whoever was given the copy calls start() when it is a standby again.
    [[nodiscard]] std::optional<Copy> takeAt(Revision revision,
                                             std::chrono::milliseconds limit) noexcept override;
    [[nodiscard]] Status status() const;

private:
    void run(const std::stop_token& stop);
    // Everything as of one revision.
    struct Reading {
        Mirror mirror;
        Revision revision = 0;
    };
    [[nodiscard]] Result<Reading> readAll(const std::stop_token& stop);
    [[nodiscard]] Result<Page> readPage(const std::string& after, Revision at, std::size_t rows,
                                        const std::stop_token& stop);
    // Whether the rows are those of the head.
    [[nodiscard]] Result<Reading> checked(Reading reading) const;
    void tellProgress();
    void take(Reading reading);
    // Until it is stopped or everything has to be read anew.
    void keepUp(const std::stop_token& stop);
    // False: that is so by now.
    [[nodiscard]] bool follow(std::chrono::milliseconds time, const std::stop_token& stop);
    void verify(const std::stop_token& stop);
    // These three with mutex_ held.
    void apply(const std::vector<Event>& events);
    void onRevisionEnd();
    void compare(const Mirror& fresh);
    void breakOff(const std::string& why);

    KeyValue& etcd_;
    Watches& watches_;
    const Options options_;

    mutable std::mutex mutex_;  // guards the rest but for the thread
    std::condition_variable_any arrived_;
    std::optional<Mirror> mirror_;
    // What was read to compare with, and is ahead of us.
    std::optional<Mirror> fresh_;
    Revision next_ = 0;   // the first revision not known yet
    std::string broken_;  // why everything has to be read anew
    Status status_;
    bool isGiven_ = false;
    std::uint64_t pagesRead_ = 0;
    std::stop_source stop_;

    std::thread thread_;
};

}  // namespace crnpd::etcd
