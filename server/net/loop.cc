// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/net/loop.h"

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <utility>

#include <event2/event.h>
#include <sys/eventfd.h>

#include "common/messages.h"

namespace crnpd::net {
namespace {

timeval toTimeval(std::chrono::milliseconds time) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
    return {static_cast<time_t>(seconds.count()),
            static_cast<suseconds_t>(std::chrono::microseconds(time - seconds).count())};
}

event_base* makeBase() {
    // No change list: it would tell the kernel of a descriptor that goes away only after another thread may
    // have closed it.
    event_config* const config = event_config_new();
    if (config == nullptr) return nullptr;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    event_base* const base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

template <typename Work>
void guarded(const Work& work) noexcept {
    try {
        work();
    } catch (const std::exception& fault) {
        log(msg::loopFault, fault.what());
    } catch (...) {
        log(msg::loopFault, "something that is no std::exception");
    }
}

}  // namespace

void EventDeleter::operator()(event* watched) const noexcept {
    event_free(watched);
}
void BaseDeleter::operator()(event_base* base) const noexcept {
    event_base_free(base);
}

Loop::Loop() : base_(makeBase()), wakeFd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!base_ || !wakeFd_) throw std::runtime_error("no event loop: out of file descriptors or memory");
    const auto onWake = [](evutil_socket_t fd, short, void* self) {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto length = ::read(fd, &count, sizeof count);
        static_cast<Loop*>(self)->runPosted();
    };
    wake_.reset(event_new(base_.get(), wakeFd_.fd(), EV_READ | EV_PERSIST, onWake, this));
    if (!wake_ || event_add(wake_.get(), nullptr) != 0)
        throw std::runtime_error("no event loop: out of memory");
}

Loop::~Loop() = default;

void Loop::run() {
    event_base_loop(base_.get(), EVLOOP_NO_EXIT_ON_EMPTY);
}

void Loop::stop() {
    post([this] { event_base_loopbreak(base_.get()); });
}

void Loop::post(Callback work) {
    bool wasEmpty = false;
    {
        const std::scoped_lock lock(mutex_);
        wasEmpty = posted_.empty();
        posted_.push_back(std::move(work));
    }
    if (!wasEmpty) return;  // whoever made it not empty has woken the loop
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto length = ::write(wakeFd_.fd(), &one, sizeof one);
}

void Loop::runPosted() {
    std::vector<Callback> work;
    {
        const std::scoped_lock lock(mutex_);
        work.swap(posted_);
    }
    for (const auto& piece : work)
        guarded(piece);
}

Timer::Timer(Loop& loop, Callback onTime) : loop_(loop), onTime_(std::move(onTime)) {
    const auto onEvent = [](evutil_socket_t, short, void* self) {
        auto& timer = *static_cast<Timer*>(self);
        if (timer.repeat_) timer.start(timer.every_);
        guarded([&timer] {
            const auto callback = timer.onTime_;  // the callback may destroy the timer
            callback();
        });
    };
    timer_.reset(event_new(loop_.base(), -1, 0, onEvent, this));
    if (!timer_) throw std::runtime_error("no timer: out of memory");
}

void Timer::startOnce(std::chrono::milliseconds after) {
    repeat_ = false;
    start(after);
}

void Timer::startRepeating(std::chrono::milliseconds every) {
    repeat_ = true;
    every_ = every;
    start(every);
}

void Timer::start(std::chrono::milliseconds time) {
    const timeval when = toTimeval(time);
    event_add(timer_.get(), &when);
}

void Timer::cancel() noexcept {
    event_del(timer_.get());
}

EndOfTurn::EndOfTurn(Loop& loop, Callback work) : work_(std::move(work)) {
    const auto onEvent = [](evutil_socket_t, short, void* self) {
        guarded([self] {
            const auto callback = static_cast<EndOfTurn*>(self)->work_;  // it may destroy this
            callback();
        });
    };
    event_.reset(event_new(loop.base(), -1, 0, onEvent, this));
    if (!event_) throw std::runtime_error("no event: out of memory");
}

void EndOfTurn::ask() noexcept {
    event_active(event_.get(), EV_TIMEOUT, 0);
}

SignalWatch::SignalWatch(Loop& loop, int signal, Callback onSignal) : onSignal_(std::move(onSignal)) {
    const auto onEvent = [](evutil_socket_t, short, void* self) {
        guarded([self] {
            const auto callback = static_cast<SignalWatch*>(self)->onSignal_;  // it may destroy the watch
            callback();
        });
    };
    signal_.reset(event_new(loop.base(), signal, EV_SIGNAL | EV_PERSIST, onEvent, this));
    if (!signal_ || event_add(signal_.get(), nullptr) != 0) throw std::runtime_error("cannot watch a signal");
}

FdWatch::FdWatch(Loop& loop, int fd, Callback onReady, For what) : onReady_(std::move(onReady)) {
    const auto onEvent = [](evutil_socket_t, short, void* self) {
        guarded([self] {
            // The callback may destroy the watch.
            const auto callback = static_cast<FdWatch*>(self)->onReady_;
            callback();
        });
    };
    const int events = what == For::reading ? EV_READ : EV_WRITE;
    watch_.reset(event_new(loop.base(), fd, static_cast<short>(events | EV_PERSIST), onEvent, this));
    if (!watch_) throw std::runtime_error("cannot watch a descriptor: out of memory");
}

bool FdWatch::resume() noexcept {
    return event_add(watch_.get(), nullptr) == 0;
}

void FdWatch::pause() noexcept {
    event_del(watch_.get());
}

}  // namespace crnpd::net
