// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/posting.h"

#include <random>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "common/crash_point.h"
#include "server/etcd/post.h"

namespace crnpd::etcd {
namespace {

// No two posts ever have the same.
std::string uniqueId() {
    std::random_device random;
    return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

Error nobodyKnows(const std::string& why) {
    return {ErrorCode::superseded, "what became of the event is not known: " + why};
}

}  // namespace

Posting::Posting(KeyValue& etcd, const Clock& clock, Keys keys, Options options)
    : etcd_(etcd), clock_(clock), keys_(std::move(keys)), options_(std::move(options)) {}

Result<Sequence> Posting::post(const std::string& event) {
    const auto key = keys_.post(uniqueId());
    const auto end = clock_.steady() + options_.limit;
    const auto put =
        etcd_.transact({{{Condition::Of::created, key, 0}}, {Put{key, encodePosted(event)}}, {}});
    crashPoint("post_put");
    if (!put && put.error().code != ErrorCode::busy) return put.error();
    while (clock_.steady() < end) {
        if (auto found = look(key)) return std::move(*found);
        pause();
    }
    return takeBack(key, put ? put->revision : 0);
}

// Perhaps of some time ago, but what an answer says stays true.
std::optional<Result<Sequence>> Posting::look(const std::string& key) {
    const auto answer = etcd_.transact({{}, {Get{key}}, {}});
    if (!answer || !answer->got.at(0)) return std::nullopt;
    return read(*answer->got.at(0));
}

// The key is of no use any more once it was answered; if this fails the active server clears it away.
std::optional<Result<Sequence>> Posting::read(const Row& row) {
    const auto post = decodePost(row.value);
    if (!post) return Result<Sequence>(nobodyKnows(row.key + " was changed by another program"));
    if (post->state == Post::State::posted || post->state == Post::State::taken) return std::nullopt;
    crashPoint("post_answered");
    const auto gone =
        etcd_.transact({{{Condition::Of::modified, row.key, row.modified}}, {Delete{row.key}}, {}});
    if (!gone && gone.error().code == ErrorCode::busy) pause();
    if (post->state == Post::State::answered) return Result<Sequence>(post->sequence);
    return Result<Sequence>(Error{ErrorCode::busy, "the active server could not publish it"});
}

// `posted` is the revision of our put, 0 if it was not answered: that one may still arrive, so a key that is
// not there proves nothing. Neither does one that is gone: who has waited too long finds his answer cleared
// away.
Result<Sequence> Posting::takeBack(const std::string& key, Revision posted) {
    const auto end = clock_.steady() + options_.grace;
    std::string why = "etcd does not answer";
    do {
        const auto answer =
            etcd_.transact({{{Condition::Of::modified, key, posted}}, {Delete{key}}, {Get{key}}});
        if (answer && answer->succeeded && posted != 0)
            return Error{ErrorCode::busy, "no active server has taken the event"};
        if (answer && (answer->succeeded || !answer->got.at(0))) return nobodyKnows("its row is not there");
        if (answer) {
            const auto& row = *answer->got.at(0);
            if (auto found = read(row)) return std::move(*found);
            const bool isOurs = decodePost(row.value)->state == Post::State::posted;
            if (isOurs) posted = row.modified;
            why = "the active server has taken it and not answered";
        }
        pause();
    } while (clock_.steady() < end);
    return nobodyKnows(why);
}

void Posting::pause() const {
    if (options_.wait) return options_.wait(options_.pause);
    std::this_thread::sleep_for(options_.pause);
}

}  // namespace crnpd::etcd
