// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/posted.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "common/crash_point.h"
#include "common/event_codec.h"
#include "common/messages.h"
#include "server/etcd/stop_after.h"

namespace crnpd::etcd {

Posted::Posted(KeyValue& etcd, Watches& watches, const Clock& clock, Keys keys, store::Term term, Taken taken,
               Options options)
    : etcd_(etcd),
      watches_(watches),
      clock_(clock),
      keys_(std::move(keys)),
      term_(term),
      taken_(std::move(taken)),
      options_(options),
      refusing_([this](const std::stop_token& stop) { runRefusals(stop); }),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Posted::~Posted() {
    thread_.request_stop();
    refusing_.request_stop();
    thread_.join();
    refusing_.join();
}

Condition Posted::weLead() const {
    return {Condition::Of::created, keys_.leader(), static_cast<Revision>(term_)};
}

Transaction Posted::deletion(const std::string& key, Revision modified) const {
    return {{weLead(), {Condition::Of::modified, key, modified}}, {Delete{key}}, {}};
}

std::string Posted::idOf(const std::string& key) const {
    return key.substr(keys_.posts().size());
}

// --- handing over -----------------------------------------------------------------------------------------

void Posted::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        bool isWell = false;
        try {
            isWell = round(stop);
        } catch (const std::exception&) {  // no memory: again, later
        }
        if (!isWell) pauseFor(options_.pause, stop);
    }
}

// Everything that is there, then what comes, until it is time to look for what was left lying.
bool Posted::round(const std::stop_token& stop) {
    const auto revision = list(stop);
    if (revision == 0) return false;
    sweep(stop);
    StopAfter until(stop, options_.sweepTime);
    bool isWell = true;
    const auto ended = watches_.follow(
        keys_.posts(), revision + 1,
        [&](const std::vector<Event>& events) {
            for (const auto& event : events) {
                if (!isWell || stop.stop_requested()) break;
                if (event.row) {
                    isWell = see(*event.row);
                } else {
                    forget(event.key);
                }
            }
            if (!isWell) until.now();
        },
        until.token());
    return ended && isWell;
}

Revision Posted::list(const std::stop_token& stop) {
    constexpr std::size_t rowsPerPage = 100;
    Revision at = 0;
    std::set<std::string> keysThen;
    std::string after;
    for (bool hasMore = true; hasMore;) {
        const auto page = etcd_.read(keys_.posts(), after, at, rowsPerPage);
        if (!page) return 0;
        at = page->revision;
        for (const auto& row : page->rows) {
            if (stop.stop_requested() || !see(row)) return 0;
            keysThen.insert(row.key);
        }
        hasMore = page->hasMore && !page->rows.empty();
        if (hasMore) after = page->rows.back().key;
    }
    forgetWhatIsGone(at, keysThen);
    return at;
}

bool Posted::see(const Row& row) {
    const auto post = decodePost(row.value);
    if (!post) return clearUnreadable(row);
    if (post->isSettled()) {
        settle(row);
        return true;
    }
    {
        const std::scoped_lock lock(mutex_);
        if (handed_.contains(idOf(row.key))) return true;
    }
    auto event = decodeEvent(post->event);
    if (!event) return clearUnreadable(row);
    return take(row, post->event, std::move(*event));
}

// Noted before it is handed over, so that it can be refused at once.
bool Posted::take(const Row& row, const std::string& text, crnpd::Event event) {
    const auto id = idOf(row.key);
    auto shared = std::make_shared<const crnpd::Event>(std::move(event));
    crashPoint("post_seen");
    const auto answer = etcd_.transact({{weLead(), {Condition::Of::modified, row.key, row.modified}},
                                        {Put{row.key, encodeTaken(text)}},
                                        {}});
    if (!answer) return false;
    // Taken back, or it was seen as it was some time ago; or we do not lead.
    if (!answer->succeeded) return true;
    crashPoint("post_taken");
    {
        const std::scoped_lock lock(mutex_);
        handed_.insert_or_assign(id, Handed{answer->revision, false});
    }
    try {
        taken_(id, std::move(shared));
    } catch (...) {
        const std::scoped_lock lock(mutex_);
        handed_.erase(id);
        throw;
    }
    return true;
}

bool Posted::clearUnreadable(const Row& row) {
    const auto gone = etcd_.transact(deletion(row.key, row.modified));
    if (gone && gone->succeeded) log(msg::postUnreadable, row.key);
    // One that may not be deleted does not keep the others waiting.
    return gone || gone.error().code != ErrorCode::busy;
}

// --- forgetting -------------------------------------------------------------------------------------------

// Once a row is settled or gone no earlier state of it can be taken, for that has another revision.
void Posted::settle(const Row& row) {
    auto& settled = settled_[row.key];
    if (settled.modified != row.modified) settled = {row.modified, clock_.steady()};
    const std::scoped_lock lock(mutex_);
    handed_.erase(idOf(row.key));
}

void Posted::forget(const std::string& key) {
    settled_.erase(key);
    const std::scoped_lock lock(mutex_);
    handed_.erase(idOf(key));
}

// What a listing does not have may also have come after it, for it may be of some time ago.
void Posted::forgetWhatIsGone(Revision at, const std::set<std::string>& keysThen) {
    std::erase_if(settled_, [&](const auto& one) {
        return one.second.modified <= at && !keysThen.contains(one.first);
    });
    const std::scoped_lock lock(mutex_);
    std::erase_if(handed_, [&](const auto& one) {
        return one.second.taken <= at && !keysThen.contains(keys_.post(one.first));
    });
}

// What fails is tried again in the next round.
void Posted::sweep(const std::stop_token& stop) {
    const auto now = clock_.steady();
    for (auto one = settled_.begin(); one != settled_.end() && !stop.stop_requested();) {
        if (now - one->second.since < options_.sweepTime) {
            ++one;
            continue;
        }
        if (!etcd_.transact(deletion(one->first, one->second.modified))) return;
        one = settled_.erase(one);
    }
}

// --- refusing ---------------------------------------------------------------------------------------------

void Posted::refuse(const std::string& post) noexcept {
    const std::scoped_lock lock(mutex_);
    const auto found = handed_.find(post);
    if (found == handed_.end()) return;
    found->second.isRefused = true;
    refused_.notify_all();
}

void Posted::runRefusals(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        bool isWell = false;
        try {
            isWell = write(awaitRefusals(stop), stop);
        } catch (const std::exception&) {  // no memory: again, later
        }
        if (!isWell) pauseFor(options_.pause, stop);
    }
}

std::vector<Posted::Refusal> Posted::awaitRefusals(const std::stop_token& stop) {
    const auto isOpen = [](const auto& one) { return one.second.isRefused; };
    std::unique_lock lock(mutex_);
    refused_.wait(lock, stop, [&] { return std::ranges::any_of(handed_, isOpen); });
    std::vector<Refusal> open;
    for (const auto& one : handed_) {
        if (isOpen(one)) open.emplace_back(one.first, one.second.taken);
    }
    return open;
}

// Where the conditions do not hold, an earlier copy has been carried out or we do not lead: nothing is left
// to do in either case.
bool Posted::write(const std::vector<Refusal>& refusals, const std::stop_token& stop) {
    for (const auto& [id, taken] : refusals) {
        if (stop.stop_requested()) return true;
        const auto key = keys_.post(id);
        const auto answer = etcd_.transact(
            {{weLead(), {Condition::Of::modified, key, taken}}, {Put{key, encodeRefused()}}, {}});
        if (!answer) return false;
        const std::scoped_lock lock(mutex_);
        if (const auto found = handed_.find(id); found != handed_.end()) found->second.isRefused = false;
    }
    return true;
}

}  // namespace crnpd::etcd
