// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// "Reply first, then event" (section 7 of docs/protocol.md): shut until the reply to a message was written,
// or its connection is gone.
//
// Threads    Any. open() may be called several times; what waits for it runs on the thread of the first call.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace crnpd {

class ReplyGate {
public:
    [[nodiscard]] bool isOpen() const noexcept { return open_.load(std::memory_order_acquire); }

    // `call` runs once when it opens, in place of any that was left here before. False: it is open, and
    // `call` does not run.
    [[nodiscard]] bool whenOpened(std::function<void()> call) {
        const std::scoped_lock lock(mutex_);
        if (isOpen()) return false;
        call_ = std::move(call);
        return true;
    }

    void open() {
        std::function<void()> call;
        {
            const std::scoped_lock lock(mutex_);
            open_.store(true, std::memory_order_release);
            call.swap(call_);
        }
        if (call) call();
    }

private:
    std::atomic<bool> open_{false};
    std::mutex mutex_;
    std::function<void()> call_;
};

// Holds a gate shut: whoever carries a reply to its client holds it, and the gate opens when it is destroyed,
// on whatever way the reply went.
class ReplyHold {
public:
    ReplyHold() = default;
    explicit ReplyHold(std::shared_ptr<ReplyGate> gate) : gate_(std::move(gate)) {}
    ~ReplyHold() { release(); }
    ReplyHold(ReplyHold&& other) noexcept : gate_(std::move(other.gate_)) {}
    ReplyHold& operator=(ReplyHold&& other) noexcept {
        if (this != &other) {
            release();
            gate_ = std::move(other.gate_);
        }
        return *this;
    }
    ReplyHold(const ReplyHold&) = delete;
    ReplyHold& operator=(const ReplyHold&) = delete;

    void release() {
        if (const auto gate = std::exchange(gate_, nullptr)) gate->open();
    }

private:
    std::shared_ptr<ReplyGate> gate_;
};

}  // namespace crnpd
