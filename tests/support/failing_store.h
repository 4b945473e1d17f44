// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A store that works until the test says otherwise: it passes every call on to another store, and the
// chosen commits fail the way the test chose, whether or not they reached the store behind.
//
//     MemoryStore memory;
//     FailingStore store(memory);
//     store.failCommit(2, CommitOutcome::unknown({ErrorCode::io, "no answer"}),
//     FailingStore::Effect::applied); store.answerOutcome(CommitOutcome::unknown({ErrorCode::io, "still no
//     answer"}));
//
// It also holds its caller to the contract of registration_store.h: a commit with another number than the
// next, a batch that is too large or, unless the store is shared, empty, or any commit after an unresolved
// one fails the running test. fill() counts as a commit.
//
// Threads    The test sets it up before the store is used by another thread; the counters and the hook may
//            be read and run while it is used.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include <gtest/gtest.h>

#include "server/store/registration_store.h"

namespace crnpd::store {

class FailingStore final : public RegistrationStore {
public:
    // Whether a failing commit reaches the store behind all the same.
    enum class Effect { nothing, applied };

    explicit FailingStore(RegistrationStore& inner) : inner_(inner) {}

    // The n-th commit from now on (the next one is 1) answers `outcome`.
    void failCommit(unsigned n, CommitOutcome outcome, Effect effect = Effect::nothing) {
        failures_[commits_ + n] = {std::move(outcome), effect};
    }
    // Every commit from now on, until heal().
    void failEveryCommit(CommitOutcome outcome, Effect effect = Effect::nothing) {
        always_ = Failure{std::move(outcome), effect};
    }
    // What the next outcomeOf() answers; may be called several times, answers are given in that order.
    // Without one, outcomeOf() answers the truth.
    void answerOutcome(CommitOutcome outcome) { outcomes_.push_back(std::move(outcome)); }
    // The next load() answers this; may be called several times.
    void failLoad(Error error) { loadErrors_.push_back(std::move(error)); }
    void heal() {
        failures_.clear();
        always_.reset();
        outcomes_.clear();
        loadErrors_.clear();
    }
    // Runs at the beginning of every commit, on the committer's thread: a test that holds it back can see
    // what gathers meanwhile.
    void beforeCommit(std::function<void(BatchId, std::span<const Change>)> hook) { hook_ = std::move(hook); }

    // As a replicated store.
    void share() { isShared_ = true; }
    void limitBytes(std::size_t bytes) { bytesLimit_ = bytes; }

    [[nodiscard]] bool wasAbandoned() const noexcept { return wasAbandoned_; }
    [[nodiscard]] unsigned commits() const noexcept { return commits_; }
    [[nodiscard]] unsigned outcomeQueries() const noexcept { return outcomeQueries_; }
    [[nodiscard]] unsigned loads() const noexcept { return loads_; }

    [[nodiscard]] Result<Snapshot> load() noexcept override {
        ++loads_;
        if (!loadErrors_.empty()) {
            auto error = std::move(loadErrors_.front());
            loadErrors_.pop_front();
            return error;
        }
        auto snapshot = inner_.load();
        if (snapshot) head_ = snapshot->head;
        unresolved_.reset();
        return snapshot;
    }

    [[nodiscard]] std::size_t batchLimit() const noexcept override { return inner_.batchLimit(); }
    [[nodiscard]] std::size_t bytesLimit() const noexcept override {
        return bytesLimit_ ? *bytesLimit_ : inner_.bytesLimit();
    }
    [[nodiscard]] bool isShared() const noexcept override { return isShared_ || inner_.isShared(); }
    void abandon() noexcept override {
        wasAbandoned_ = true;
        inner_.abandon();
    }

    [[nodiscard]] CommitOutcome carryOut(BatchId batch, std::span<const Change> changes,
                                         const EventChanges& events) noexcept override {
        EXPECT_TRUE(isShared() || !changes.empty() || events.size() > 0);
        EXPECT_LE(bytesOf(changes), bytesLimit());
        EXPECT_LE(changes.size() + events.size(), batchLimit());
        return write(batch, changes, [&] { return inner_.commit(batch, changes, events); });
    }

    [[nodiscard]] CommitOutcome fill(BatchId batch, std::span<const Change> changes) noexcept override {
        return write(batch, changes, [&] { return inner_.fill(batch, changes); });
    }

    [[nodiscard]] CommitOutcome outcomeOf(BatchId batch, std::chrono::milliseconds) noexcept override {
        ++outcomeQueries_;
        EXPECT_TRUE(unresolved_ && unresolved_->batch == batch)
            << "outcomeOf(" << batch << ") was asked, but that batch was not answered unknown";
        if (!outcomes_.empty()) {
            auto outcome = std::move(outcomes_.front());
            outcomes_.pop_front();
            if (outcome.state != CommitState::unknown) unresolved_.reset();
            return outcome;
        }
        const bool applied = unresolved_ && unresolved_->effect == Effect::applied;
        unresolved_.reset();
        return applied ? CommitOutcome::committed()
                       : CommitOutcome::notCommitted({ErrorCode::io, "the batch never arrived"});
    }

private:
    struct Failure {
        CommitOutcome outcome;
        Effect effect;
    };
    struct Unresolved {
        BatchId batch;
        Effect effect;
    };

    using Write = std::function<CommitOutcome()>;

    CommitOutcome write(BatchId batch, std::span<const Change> changes, const Write& through) noexcept {
        if (hook_) hook_(batch, changes);
        const unsigned n = ++commits_;
        holdToContract(batch);
        const auto failure = failureOf(n);
        if (!failure) return applied(batch, through);
        if (failure->effect == Effect::applied) {
            EXPECT_EQ(applied(batch, through).state, CommitState::committed);
        }
        if (failure->outcome.state == CommitState::unknown) {
            unresolved_ = Unresolved{batch, failure->effect};
        }
        return failure->outcome;
    }

    static std::size_t bytesOf(std::span<const Change> changes) {
        std::size_t bytes = 0;
        for (const auto& change : changes) {
            if (const auto* client = std::get_if<ClientRecord>(&change))
                bytes += client->registrations.size();
        }
        return bytes;
    }

    void holdToContract(BatchId batch) const {
        EXPECT_TRUE(head_) << "commit() before load()";
        EXPECT_FALSE(unresolved_) << "commit() while the outcome of batch " << unresolved_->batch
                                  << " is unknown";
        EXPECT_EQ(batch, head_.value_or(0) + 1);
    }

    [[nodiscard]] std::optional<Failure> failureOf(unsigned n) const {
        if (const auto found = failures_.find(n); found != failures_.end()) return found->second;
        return always_;
    }

    CommitOutcome applied(BatchId batch, const Write& through) noexcept {
        auto outcome = through();
        if (outcome.state == CommitState::committed) head_ = batch;
        return outcome;
    }

    RegistrationStore& inner_;
    std::map<unsigned, Failure> failures_;
    std::optional<Failure> always_;
    std::deque<CommitOutcome> outcomes_;
    std::deque<Error> loadErrors_;
    std::function<void(BatchId, std::span<const Change>)> hook_;
    std::optional<BatchId> head_;
    std::optional<Unresolved> unresolved_;
    bool isShared_ = false;
    std::optional<std::size_t> bytesLimit_;
    std::atomic<bool> wasAbandoned_{false};
    std::atomic<unsigned> commits_{0};
    std::atomic<unsigned> outcomeQueries_{0};
    std::atomic<unsigned> loads_{0};
};

}  // namespace crnpd::store
