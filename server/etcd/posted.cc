// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/posted.h"

#include <exception>
#include <utility>
#include <vector>

#include "common/crash_point.h"
#include "common/event_codec.h"
#include "common/messages.h"
#include "server/etcd/post.h"
#include "server/etcd/stop_after.h"

namespace crnpd::etcd {

Posted::Posted(KeyValue& etcd, Watches& watches, Keys keys, store::Term term, Taken taken, Options options)
    : etcd_(etcd),
      watches_(watches),
      keys_(std::move(keys)),
      term_(term),
      taken_(std::move(taken)),
      options_(options),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Posted::~Posted() {
    thread_.request_stop();
    thread_.join();
}

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
    const auto revision = list();
    if (revision == 0) return false;
    StopAfter until(stop, options_.sweepTime);
    bool isWell = true;
    const auto ended = watches_.follow(
        keys_.posts(), revision + 1,
        [&](const std::vector<Event>& events) {
            for (const auto& event : events) {
                if (!event.row) {
                    handed_.erase(event.key.substr(keys_.posts().size()));
                } else if (!see(*event.row)) {
                    isWell = false;
                }
            }
            if (!isWell) until.now();
        },
        until.token());
    return ended && isWell;
}

Revision Posted::list() {
    settledNow_.clear();
    constexpr std::size_t rowsPerPage = 100;
    Revision at = 0;
    bool isWell = true;
    std::string after;
    for (bool hasMore = true; hasMore;) {
        const auto page = etcd_.read(keys_.posts(), after, at, rowsPerPage);
        if (!page) return 0;
        at = page->revision;
        for (const auto& row : page->rows) {
            isWell = see(row) && isWell;
            sweep(row);
        }
        hasMore = page->hasMore && !page->rows.empty();
        if (hasMore) after = page->rows.back().key;
    }
    settled_ = std::move(settledNow_);
    return isWell ? at : 0;
}

// False: etcd did not answer, look again.
bool Posted::see(const Row& row) {
    const auto id = row.key.substr(keys_.posts().size());
    const auto post = decodePost(row.value);
    const bool isOpen = post && (post->state == Post::State::posted || post->state == Post::State::taken);
    if (post && (!isOpen || handed_.contains(id))) return true;
    if (post && decodeEvent(post->event)) return take(row, id, post->event);
    log(msg::postUnreadable, row.key);
    return etcd_
        .transact({{weLead(), {Condition::Of::modified, row.key, row.modified}}, {Delete{row.key}}, {}})
        .has_value();
}

bool Posted::take(const Row& row, const std::string& id, const std::string& text) {
    auto event = decodeEvent(text);
    crashPoint("post_seen");
    const auto answer = etcd_.transact({{weLead(), {Condition::Of::modified, row.key, row.modified}},
                                        {Put{row.key, encodeTaken(text)}},
                                        {}});
    if (!answer) return false;
    // Taken back, or it was seen as it was some time ago; or we do not lead.
    if (!answer->succeeded) return true;
    crashPoint("post_taken");
    handed_.insert(id);
    taken_(id, std::make_shared<const crnpd::Event>(std::move(*event)));
    return true;
}

void Posted::sweep(const Row& row) {
    const auto post = decodePost(row.value);
    if (!post || post->state == Post::State::posted || post->state == Post::State::taken) return;
    const auto before = settled_.find(row.key);
    const bool isOld = before != settled_.end() && before->second == row.modified;
    settledNow_.emplace(row.key, row.modified);
    if (!isOld) return;
    const auto gone =
        etcd_.transact({{weLead(), {Condition::Of::modified, row.key, row.modified}}, {Delete{row.key}}, {}});
    if (gone) settledNow_.erase(row.key);
}

void Posted::refuse(const std::string& post) noexcept {
    try {
        const auto key = keys_.post(post);
        [[maybe_unused]] const auto answer = etcd_.transact({{weLead()}, {Put{key, encodeRefused()}}, {}});
    } catch (const std::exception&) {  // its poster waits as long as it would anyway
    }
}

Condition Posted::weLead() const {
    return {Condition::Of::created, keys_.leader(), static_cast<Revision>(term_)};
}

}  // namespace crnpd::etcd
