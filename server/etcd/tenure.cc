// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/tenure.h"

#include <exception>
#include <utility>

#include <fmt/format.h>

#include "common/crash_point.h"
#include "server/etcd/guarded.h"
#include "server/etcd/stop_after.h"

namespace crnpd::etcd {
namespace {

// Between two attempts of which the first failed.
constexpr std::chrono::milliseconds pause{50};

}  // namespace

Tenure::Tenure(KeyValue& etcd, Leases& leases, Watches& watches, const Clock& clock, Keys keys,
               store::Term term, Revision asOf, Lease lease, Lost lost)
    : etcd_(etcd),
      leases_(leases),
      watches_(watches),
      clock_(clock),
      keys_(std::move(keys)),
      term_(term),
      asOf_(asOf),
      lease_(lease.id),
      time_(lease.time),
      lost_(std::move(lost)),
      hold_(std::make_shared<Hold>(clock)) {
    keptAt(lease.sent);
    try {
        keeper_ = std::jthread([this] { run(&Tenure::keepAlive); });
        timer_ = std::jthread([this] { run(&Tenure::watchTime); });
        watcher_ = std::jthread([this] { run(&Tenure::watchKey); });
    } catch (...) {
        // Those that were started are waited for, so they have to end.
        stop_.request_stop();
        throw;
    }
}

Tenure::~Tenure() {
    hold_->isOver_ = true;
    stop_.request_stop();
}

void Tenure::keptAt(SteadyTime sent) noexcept {
    sent_ = sent;
    hold_->until_ = sent + time_;
}

void Tenure::run(void (Tenure::*body)()) noexcept {
    try {
        (this->*body)();
    } catch (const std::exception& fault) {
        // Whoever cannot look after a leadership must not rely on it.
        lose(textOf("the leadership cannot be looked after", fault));
    }
}

// An attempt may take longer than is left of the lease, so another thread looks at the time.
void Tenure::keepAlive() {
    const auto stop = stop_.get_token();
    pauseFor(time_ / 3, stop);
    while (!stop.stop_requested()) {
        const auto sent = clock_.steady();
        const auto kept = leases_.keepAlive(lease_);
        if (!kept && kept.error().code == ErrorCode::notFound)
            return lose("the lease is gone: it was revoked or has run out");
        {
            const std::scoped_lock lock(mutex_);
            if (kept) keptAt(sent);
            trouble_ = kept ? "" : kept.error().text;
        }
        kept_.notify_all();
        pauseFor(kept ? time_ / 3 : pause, stop);
    }
}

// A process that was paused finds the time over as soon as it goes on.
void Tenure::watchTime() {
    const auto stop = stop_.get_token();
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        const auto left = sent_ + time_ - clock_.steady();
        if (left <= SteadyTime::duration::zero()) {
            const auto why = trouble_.empty() ? std::string("this process was not running") : trouble_;
            lock.unlock();
            return lose("the lease may have run out: " + why);
        }
        const auto known = sent_;
        kept_.wait_for(lock, stop, left, [&] { return sent_ != known; });
    }
}

void Tenure::watchKey() {
    const auto stop = stop_.get_token();
    Revision from = asOf_ + 1;
    while (!stop.stop_requested()) {
        const auto ended = watches_.follow(
            keys_.leader(), from,
            [&](const std::vector<Event>& events) {
                for (const auto& event : events) {
                    from = event.revision + 1;
                    if (event.key != keys_.leader()) continue;
                    const bool isOurs = event.row && event.row->created == static_cast<Revision>(term_);
                    if (!isOurs) lose(event.row ? "another server leads" : "the leader's key was deleted");
                }
            },
            stop);
        if (!ended && ended.error().code == ErrorCode::notFound) from = lookAgain(from);
        pauseFor(pause, stop);
    }
}

Revision Tenure::lookAgain(Revision from) {
    const auto page = etcd_.read(keys_.leader(), "", 0, 1);
    // What is older than our own election tells nothing.
    if (!page || page->revision < asOf_) return from;
    const bool isOurs = !page->rows.empty() && page->rows.front().key == keys_.leader() &&
                        page->rows.front().created == static_cast<Revision>(term_);
    if (!isOurs) lose("the leader's key is not ours any more");
    return page->revision + 1;
}

// Whoever leads has to learn of it: without the memory for that it is tried again until there is some.
void Tenure::lose(std::string_view reason) noexcept {
    // Told to stop: whoever ends the tenure knows.
    if (stop_.stop_requested() || hold_->isOver_.exchange(true)) return;
    crashPoint("lease_lost");
    while (!tell(reason) && !stop_.stop_requested())
        pauseFor(pause, stop_.get_token());
    stop_.request_stop();
}

bool Tenure::tell(std::string_view reason) noexcept {
    try {
        lost_(fmt::format("term {}: {}", term_, reason));
        return true;
    } catch (const std::exception&) {
        return false;
    }
}

}  // namespace crnpd::etcd
