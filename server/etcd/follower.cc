// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/follower.h"

#include <exception>
#include <future>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "common/messages.h"
#include "server/etcd/stop_after.h"

namespace crnpd::etcd {

Follower::Follower(KeyValue& etcd, Watches& watches, Options options)
    : etcd_(etcd), watches_(watches), options_(std::move(options)) {}

Follower::~Follower() {
    stop();
}

void Follower::start() {
    {
        const std::scoped_lock lock(mutex_);
        if (thread_.joinable() && !isGiven_) return;
    }
    stop();
    std::stop_token token;
    {
        const std::scoped_lock lock(mutex_);
        stop_ = {};
        token = stop_.get_token();
    }
    thread_ = std::thread([this, token] { run(token); });
}

void Follower::stop() {
    {
        const std::scoped_lock lock(mutex_);
        stop_.request_stop();
    }
    if (thread_.joinable()) thread_.join();
    const std::scoped_lock lock(mutex_);
    mirror_.reset();
    fresh_.reset();
    broken_.clear();
    status_ = {};
    isGiven_ = false;
}

// --- reading ----------------------------------------------------------------------------------------------

void Follower::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        try {
            auto reading = readAll(stop);
            if (reading) {
                take(std::move(*reading));
                keepUp(stop);
            } else {
                const std::scoped_lock lock(mutex_);
                if (!stop.stop_requested()) breakOff(reading.error().text);
            }
        } catch (const std::exception& fault) {
            const std::scoped_lock lock(mutex_);
            breakOff(fault.what());
        }
        pauseFor(options_.pause, stop);
    }
}

Result<Follower::Reading> Follower::readAll(const std::stop_token& stop) {
    Mirror mirror(options_.keys);
    Pages pages([&](const std::string& after, Revision at,
                    std::size_t rows) { return readPage(after, at, rows, stop); },
                0, options_.page);
    auto page = pages.next();
    while (page) {
        tellProgress();
        // etcd looks for the next page while we take this one apart.
        std::future<Result<Page>> next;
        if (pages.hasMore()) next = std::async(std::launch::async, [&] { return pages.next(); });
        for (const auto& row : page->rows) {
            if (auto put = mirror.put(row); !put) return put.error();
        }
        if (!next.valid()) return checked({std::move(mirror), pages.revision()});
        page = next.get();
    }
    return page.error();
}

Result<Follower::Reading> Follower::checked(Reading reading) const {
    if (!reading.mirror.isComplete())
        return Error{ErrorCode::damaged,
                     fmt::format("the rows in etcd are not those that {} tells of, at revision {}",
                                 options_.keys.head(), reading.revision)};
    return reading;
}

void Follower::tellProgress() {
    const std::scoped_lock lock(mutex_);
    ++pagesRead_;
    arrived_.notify_all();
}

// With a second and a third member, should the first one not answer; it may be the page that is too large.
Result<Page> Follower::readPage(const std::string& after, Revision at, std::size_t rows,
                                const std::stop_token& stop) {
    constexpr unsigned attempts = 3;
    for (unsigned attempt = 1;; ++attempt) {
        auto page = etcd_.read(options_.keys.prefix() + '/', after, at, rowsInAttempt(rows, attempt));
        if (stop.stop_requested()) return Error{ErrorCode::cancelled, "told to stop"};
        if (page || page.error().code != ErrorCode::busy || attempt == attempts) return page;
    }
}

void Follower::take(Reading reading) {
    const std::scoped_lock lock(mutex_);
    log(msg::copyRead, reading.mirror.rows(), static_cast<std::uint64_t>(reading.revision));
    mirror_ = std::move(reading.mirror);
    fresh_.reset();
    broken_.clear();
    next_ = reading.revision + 1;
    status_.isComplete = true;
    status_.clients = mirror_->clients();
    status_.batch = mirror_->batch();
    status_.revision = reading.revision;
    status_.trouble.clear();
    arrived_.notify_all();
}

// --- following --------------------------------------------------------------------------------------------

void Follower::keepUp(const std::stop_token& stop) {
    auto nextComparison = std::chrono::steady_clock::now() + options_.verifyTime;
    while (!stop.stop_requested()) {
        const auto left = nextComparison - std::chrono::steady_clock::now();
        if (!follow(std::chrono::ceil<std::chrono::milliseconds>(left), stop)) return;
        if (std::chrono::steady_clock::now() < nextComparison) continue;
        verify(stop);
        nextComparison = std::chrono::steady_clock::now() + options_.verifyTime;
    }
}

bool Follower::follow(std::chrono::milliseconds time, const std::stop_token& stop) {
    StopAfter until(stop, time);
    Revision from = 0;
    {
        const std::scoped_lock lock(mutex_);
        if (!broken_.empty()) return false;
        from = next_;
    }
    const auto ended = watches_.follow(
        options_.keys.prefix() + '/', from,
        [&](const std::vector<Event>& events) {
            const std::scoped_lock lock(mutex_);
            if (!isGiven_ && broken_.empty()) apply(events);
            if (isGiven_ || !broken_.empty()) until.now();
        },
        until.token());
    bool goesOn = true;
    {
        const std::scoped_lock lock(mutex_);
        // What is on its way can be had from the next member: nothing was missed so far.
        if (!ended) status_.trouble = ended.error().text;
        if (!ended && ended.error().code == ErrorCode::notFound) breakOff(ended.error().text);
        goesOn = broken_.empty() && !isGiven_;
    }
    if (!ended && goesOn) pauseFor(options_.pause, stop);
    return goesOn;
}

void Follower::apply(const std::vector<Event>& events) {
    for (std::size_t index = 0; index < events.size(); ++index) {
        const auto& event = events[index];
        if (event.row) {
            if (auto put = mirror_->put(*event.row); !put) return breakOff(put.error().text);
        } else {
            mirror_->erase(event.key);
        }
        next_ = event.revision + 1;
        if (index + 1 == events.size() || events[index + 1].revision != event.revision) onRevisionEnd();
        if (!broken_.empty()) return;
    }
    status_.clients = mirror_->clients();
    status_.batch = mirror_->batch();
    status_.revision = next_ - 1;
    status_.trouble.clear();
    arrived_.notify_all();
}

void Follower::onRevisionEnd() {
    if (!mirror_->isComplete()) return breakOff(fmt::format("changes are missing at revision {}", next_ - 1));
    if (!fresh_ || mirror_->headRevision() < fresh_->headRevision()) return;
    const auto fresh = std::move(*fresh_);
    fresh_.reset();
    compare(fresh);
}

// --- comparing in full ------------------------------------------------------------------------------------

// What is read is ahead of us, or as far; it is compared when we have come to the same head.
void Follower::verify(const std::stop_token& stop) {
    const auto reading = readAll(stop);
    const std::scoped_lock lock(mutex_);
    if (isGiven_ || stop.stop_requested() || !broken_.empty()) return;
    if (fresh_) return breakOff(fmt::format("no change since revision {} has arrived", next_ - 1));
    if (!reading) {
        status_.trouble = reading.error().text;
        return;
    }
    if (reading->mirror.headRevision() == mirror_->headRevision()) return compare(reading->mirror);
    if (reading->mirror.headRevision() > mirror_->headRevision()) fresh_ = reading->mirror;
}

void Follower::compare(const Mirror& fresh) {
    const auto revision = static_cast<std::uint64_t>(next_ - 1);
    if (fresh == *mirror_) {
        ++status_.verified;
        log(msg::copyVerified, mirror_->rows(), revision);
        return;
    }
    log(msg::copyOutOfStep, mirror_->rows(), revision);
    breakOff("it was compared with etcd in full and is not the same");
}

void Follower::breakOff(const std::string& why) {
    if (broken_ != why) log(msg::copyReadAnew, why);
    broken_ = why;
    status_.isComplete = false;
    status_.trouble = why;
}

// --- giving away ------------------------------------------------------------------------------------------

std::optional<Copy> Follower::takeAt(Revision revision, std::chrono::milliseconds limit) noexcept {
    std::unique_lock lock(mutex_);
    const auto hasArrived = [&] {
        return mirror_ && !isGiven_ && broken_.empty() && mirror_->headRevision() >= revision;
    };
    if (isGiven_) return std::nullopt;
    // To read everything beside a reading that is getting on would only slow down both.
    while (!hasArrived()) {
        const auto pages = pagesRead_;
        if (!arrived_.wait_for(lock, limit, [&] { return hasArrived() || pagesRead_ != pages; }))
            return std::nullopt;
    }
    // Behind it somebody else has written; and what a restore has left is no state.
    if (mirror_->headRevision() != revision || mirror_->isFilling()) return std::nullopt;
    isGiven_ = true;
    auto given = std::move(*mirror_);
    mirror_.reset();
    fresh_.reset();
    status_ = {};
    stop_.request_stop();
    lock.unlock();
    try {
        return std::move(given).copy();
    } catch (const std::bad_alloc&) {  // everything is read page by page then
        return std::nullopt;
    }
}

Follower::Status Follower::status() const {
    const std::scoped_lock lock(mutex_);
    return status_;
}

}  // namespace crnpd::etcd
