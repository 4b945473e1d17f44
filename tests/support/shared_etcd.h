// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A simulated etcd that several threads use, with watches. What becomes of a transaction is the test's to
// say.
//
// Threads    Any. `fate` is called on the thread that sends, one at a time, and must not call this.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/simulated_etcd.h"

namespace crnpd::support {

class SharedEtcd final : public etcd::KeyValue, public etcd::Watches {
public:
    enum class Fate { answered, answerLost, lost };

    explicit SharedEtcd(const ManualClock& clock) : etcd_(clock) {}

    void decideBy(std::function<Fate(const etcd::Transaction&)> fate) {
        const std::scoped_lock lock(mutex_);
        fate_ = std::move(fate);
    }
    // Watches tell nothing as long as it is so.
    void setDeaf(bool isDeaf) {
        const std::scoped_lock lock(mutex_);
        isDeaf_ = isDeaf;
        changed_.notify_all();
    }
    [[nodiscard]] Result<etcd::TransactionAnswer> transact(
        const etcd::Transaction& transaction) noexcept override {
        const std::scoped_lock lock(mutex_);
        const auto fate = fate_ ? fate_(transaction) : Fate::answered;
        const Error noAnswer{ErrorCode::busy, "no answer"};
        if (fate == Fate::lost) return noAnswer;
        auto answer = etcd_.carryOut(transaction);
        changed_.notify_all();
        if (fate == Fate::answerLost) return noAnswer;
        return answer;
    }
    [[nodiscard]] Result<etcd::Page> read(const std::string& prefix, const std::string& after,
                                          etcd::Revision at, std::size_t limit) noexcept override {
        const std::scoped_lock lock(mutex_);
        ++reads_;
        changed_.notify_all();
        return etcd_.read(prefix, after, at, limit);
    }
    [[nodiscard]] Result<void> follow(const std::string& prefix, etcd::Revision from,
                                      const OnEvents& onEvents, std::stop_token stop) noexcept override {
        std::unique_lock lock(mutex_);
        for (auto next = from; !stop.stop_requested(); ++next) {
            changed_.wait(lock, stop, [&] { return !isDeaf_ && etcd_.revision() >= next; });
            if (stop.stop_requested()) break;
            const auto events = changesOf(prefix, next);
            lock.unlock();
            try {
                if (!events.empty()) onEvents(events);
            } catch (const std::exception& fault) {
                return Error{ErrorCode::busy, fault.what()};
            }
            lock.lock();
        }
        return {};
    }

    // The test's own way, which never fails.
    etcd::Revision put(const std::string& key, const std::string& value) {
        const std::scoped_lock lock(mutex_);
        changed_.notify_all();
        return etcd_.carryOut({{}, {etcd::Put{key, value}}, {}})->revision;
    }
    void remove(const std::string& key) {
        const std::scoped_lock lock(mutex_);
        changed_.notify_all();
        (void)etcd_.carryOut({{}, {etcd::Delete{key}}, {}});  // always carried out
    }
    [[nodiscard]] std::string value(const std::string& key) {
        const std::scoped_lock lock(mutex_);
        return valueLocked(key);
    }
    [[nodiscard]] std::size_t reads() {
        const std::scoped_lock lock(mutex_);
        return reads_;
    }
    // False after ten seconds. "" is no row.
    [[nodiscard]] bool becomes(const std::string& key, const std::string& value) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience, [&] { return valueLocked(key) == value; });
    }
    // That often the rows were read from now on.
    [[nodiscard]] bool isReadAgain(std::size_t times) {
        std::unique_lock lock(mutex_);
        const auto end = reads_ + times;
        return changed_.wait_for(lock, patience, [&] { return reads_ >= end; });
    }

private:
    static constexpr std::chrono::seconds patience{10};

    [[nodiscard]] std::string valueLocked(const std::string& key) const {
        const auto row = etcd_.row(key);
        return row ? row->value : std::string();
    }
    [[nodiscard]] std::vector<etcd::Event> changesOf(const std::string& prefix, etcd::Revision at) const {
        constexpr std::size_t all = 1'000'000;
        std::vector<etcd::Event> events;
        const auto now = etcd_.read(prefix, "", at, all);
        for (const auto& row : now->rows) {
            if (row.modified == at) events.push_back({at, row.key, row});
        }
        const auto before = etcd_.read(prefix, "", at - 1, all);
        for (const auto& row : before->rows) {
            const bool isThere = std::any_of(now->rows.begin(), now->rows.end(),
                                             [&](const auto& other) { return other.key == row.key; });
            if (!isThere) events.push_back({at, row.key, std::nullopt});
        }
        return events;
    }

    std::mutex mutex_;
    std::condition_variable_any changed_;
    SimulatedEtcd etcd_;
    std::function<Fate(const etcd::Transaction&)> fate_;
    bool isDeaf_ = false;
    std::size_t reads_ = 0;
};

}  // namespace crnpd::support
