// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Brings one document to one client: connect, write all of it, shut our side, wait for the peer's end of file
// (section 7 of docs/protocol.md, "Delivered").
//
// Success    Every byte was written and acknowledged, our side is shut, and the peer has closed its side
//            without a reset. What it sends meanwhile is thrown away.
// Errors     A text that says `refused`, `reset` or `timed out` where it is that, else the system's words.
//            What is no fault of the client (no descriptors, no local ports) is not reported but returned.
// Permission Asked right before each connect and before the first byte of each document. Without it
//            nothing is sent, and the attempt ends as postponed.
// Cost       A connection is registered with the loop only if it is not done by the time of settle(): on
//            this machine connect and write happen at once, and settle() looks for up to `mostLooks` times
//            whether the only client under way has closed, where that has paid off lately (Promptness).
// Threads    Its loop's. What ends is reported by settle() and from the loop, never inside begin() or drop().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/address.h"
#include "common/clock.h"
#include "common/result.h"
#include "common/unique_fd.h"
#include "server/delivery/promptness.h"
#include "server/net/loop.h"

namespace crnpd::delivery {

struct SendRules {
    std::chrono::milliseconds timeout{10'000};  // client_timeout, for one attempt as a whole
    bool bindSourcePort = false;                // come from the port that the server listens on
    std::uint16_t sourcePort = 0;
    // At an attempt that is the only one under way, whether its client has closed. A hundred take about as
    // long as waking a thread.
    int mostLooks = 100;
};

class Courier {
public:
    struct Letter {
        SocketAddress to;
        IpAddress via;  // 0.0.0.0: from whatever address the system chooses
        std::shared_ptr<const std::string> document;
    };
    struct End {
        enum class How : std::uint8_t {
            delivered,
            failed,
            postponed,  // for want of permission: not a byte was sent
        };

        How how = How::delivered;
        std::string trouble;  // of a failed one
    };
    using OnEnd = std::function<void(std::uint64_t ticket, const End& end)>;
    // Must not throw.
    using Permission = std::function<bool()>;

    Courier(net::Loop& loop, const Clock& clock, const SendRules& rules, Permission mayBegin, OnEnd onEnd);
    ~Courier();
    Courier(const Courier&) = delete;
    Courier& operator=(const Courier&) = delete;

    // For what begins from now on: an attempt that is under way keeps the time that it was given.
    void apply(const SendRules& rules) { rules_ = rules; }

    // An error: it could not be begun for want of something on this machine, and nothing was sent.
    [[nodiscard]] Result<void> begin(std::uint64_t ticket, Letter letter);
    // Closes it at once, without a report.
    void drop(std::uint64_t ticket);
    void dropAll();
    // After some begin(): reports what has ended already and has the loop watch the others. How many ended.
    std::size_t settle();

    [[nodiscard]] std::size_t underWay() const noexcept { return attempts_.size(); }

private:
    enum class Stage : std::uint8_t { writing, reading, unacknowledged };
    struct Attempt {
        UniqueFd fd;
        Letter letter;
        std::chrono::milliseconds timeout{};
        SteadyTime deadline{};
        std::size_t written = 0;
        Stage stage = Stage::writing;
        bool isAnswered = false;  // the client has sent something, which nobody asked of it
        std::optional<net::FdWatch> watch;
    };
    // Nothing while it goes on.
    using Outcome = std::optional<End>;
    using Attempts = std::unordered_map<std::uint64_t, std::unique_ptr<Attempt>>;

    Result<UniqueFd> open(const Letter& letter) const;
    void bindTo(int fd, const IpAddress& via, std::uint16_t port) const;
    [[nodiscard]] Outcome advance(Attempt& attempt) const;
    [[nodiscard]] Outcome write(Attempt& attempt) const;
    [[nodiscard]] static Outcome read(Attempt& attempt);
    [[nodiscard]] static Outcome acknowledged(Attempt& attempt);

    [[nodiscard]] Outcome lookOn(Attempt& attempt);
    // Called by the loop; end the process when memory runs out, as their owner does: an attempt whose end is
    // not reported would hold its client up for ever.
    void proceed(std::uint64_t ticket) noexcept;
    void onTime() noexcept;
    [[nodiscard]] bool watch(std::uint64_t ticket, Attempt& attempt);
    void forget(Attempts::iterator attempt);
    void finish(std::uint64_t ticket, const End& end);
    void armTimer();
    [[nodiscard]] static std::string lateness(const Attempt& attempt);

    net::Loop& loop_;
    const Clock& clock_;
    SendRules rules_;
    Permission mayBegin_;
    OnEnd onEnd_;
    Attempts attempts_;
    std::vector<std::uint64_t> fresh_;
    std::vector<std::pair<std::uint64_t, End>> ended_;
    std::vector<std::uint64_t> unacknowledged_;
    // Of those under way. Not in the order in which they began: the time that an attempt gets can change.
    std::set<std::pair<SteadyTime, std::uint64_t>> deadlines_;
    Promptness promptness_;
    std::optional<SteadyTime> timerAt_;  // when it goes off, if it runs
    net::Timer timer_;
};

}  // namespace crnpd::delivery
