// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// "Reply first, then event" (section 7 of docs/protocol.md): shut until the reply to a message was written,
// or its connection is gone.
//
// Threads    Any. open() may be called several times; `onOpen` runs once, on the thread of the first call.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

namespace crnpd {

class ReplyGate {
public:
    explicit ReplyGate(std::function<void()> onOpen) : onOpen_(std::move(onOpen)) {}

    [[nodiscard]] bool isOpen() const noexcept { return open_.load(std::memory_order_acquire); }
    void open() {
        if (!open_.exchange(true, std::memory_order_acq_rel) && onOpen_) onOpen_();
    }

private:
    std::function<void()> onOpen_;
    std::atomic<bool> open_{false};
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
