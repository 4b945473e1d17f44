// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// One event loop and what hangs on it: timers, signals, watched descriptors, and work from other threads.
//
// Threads    A loop and everything made on it belong to the thread that runs it, except post() and stop(),
//            which any thread may call. Callbacks run on the loop's thread.
// Errors     An exception that leaves a callback becomes a log line and the loop goes on: nothing may pass
//            through libevent, which is C. Whoever holds something by halves then must put it right itself.
// Ownership  A Timer, EndOfTurn, SignalWatch or FdWatch must go before its loop; a FdWatch does not own its
//            descriptor. Each may be destroyed inside its own callback.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "common/unique_fd.h"

struct event;
struct event_base;

namespace crnpd::net {

using Callback = std::function<void()>;

struct EventDeleter {
    void operator()(event* watched) const noexcept;
};
struct BaseDeleter {
    void operator()(event_base* base) const noexcept;
};
using EventPtr = std::unique_ptr<event, EventDeleter>;

class Loop {
public:
    // Throws std::runtime_error when the system has no descriptors left.
    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    // Runs until stop(). What was posted before is run first.
    void run();
    void stop();

    // Runs `work` on the loop's thread, in the order posted. Work that the loop does not come to any
    // more is destroyed with it.
    void post(Callback work);

    [[nodiscard]] event_base* base() const noexcept { return base_.get(); }

private:
    void runPosted();

    std::unique_ptr<event_base, BaseDeleter> base_;
    UniqueFd wakeFd_;
    std::mutex mutex_;
    std::vector<Callback> posted_;
    EventPtr wake_;  // last: gone first
};

class Timer {
public:
    Timer(Loop& loop, Callback onTime);

    void startOnce(std::chrono::milliseconds after);
    void startRepeating(std::chrono::milliseconds every);
    void cancel() noexcept;

private:
    void start(std::chrono::milliseconds time);

    Loop& loop_;
    Callback onTime_;
    bool repeat_ = false;
    std::chrono::milliseconds every_{};
    EventPtr timer_;
};

// Runs its work at the end of the loop's turn in which that was asked for: after all that was ready. Work
// that asks again runs again before the loop looks at anything else. A stop in the same turn drops it.
class EndOfTurn {
public:
    EndOfTurn(Loop& loop, Callback work);

    // On the loop's thread. However often it is called before the work runs, that is done once.
    void ask() noexcept;

private:
    Callback work_;
    EventPtr event_;
};

class SignalWatch {
public:
    SignalWatch(Loop& loop, int signal, Callback onSignal);

private:
    Callback onSignal_;
    EventPtr signal_;
};

// Tells when a descriptor can be read, or written. It says so again until that is done or the watch is
// paused.
class FdWatch {
public:
    enum class For { reading, writing };

    FdWatch(Loop& loop, int fd, Callback onReady, For what = For::reading);

    // False: the system has no memory for it; the watch is still paused.
    [[nodiscard]] bool resume() noexcept;
    void pause() noexcept;

private:
    Callback onReady_;
    EventPtr watch_;
};

}  // namespace crnpd::net
