// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/row_sums.h"

#include <unordered_set>

#include "common/mark_codec.h"
#include "server/etcd/post.h"

namespace crnpd::etcd {

RecordId idOf(const Change& change) noexcept {
    return std::visit([](const auto& record) { return record.id; }, change);
}

const CallbackAddress& clientOf(const Change& change) noexcept {
    return std::visit([](const auto& record) -> const CallbackAddress& { return record.client; }, change);
}

RowSums::RowSums(const Keys& keys)
    : RowSums(keys, [keys](const CallbackAddress& address) { return keys.client(address); }) {}

RowSums::RowSums(const Keys& keys, KeyOf keyOf) : keys_(keys), keyOf_(std::move(keyOf)) {}

bool RowSums::add(const Change& row, const std::string& key, const std::string& value) {
    return add(row, key, digestOf(key, value));
}

bool RowSums::add(const Change& row, const std::string& key, std::uint64_t digest) {
    if (!digests_.try_emplace(idOf(row), digest).second) return false;
    keep(row, key);
    sum_.add(digest);
    return true;
}

void RowSums::add(const EventRecord& event) {
    const auto digest = digestOf(keys_.event(event.sequence), event.event);
    events_.insert_or_assign(event.sequence, digest);
    sum_.add(digest);
}

void RowSums::add(const MarkRecord& mark) {
    mark_ = digestOf(keys_.mark(), encodeMark(mark));
    sum_.add(*mark_);
}

RowSums RowSums::ofEvents() const {
    RowSums rows(keys_, keyOf_);
    rows.events_ = events_;
    rows.mark_ = mark_;
    for (const auto& [sequence, digest] : events_) {
        if (digest) rows.sum_.add(*digest);
    }
    if (mark_) rows.sum_.add(*mark_);
    return rows;
}

std::string RowSums::keyFor(const Change& change) const {
    if (const auto kept = kept_.find(idOf(change)); kept != kept_.end()) return kept->second;
    auto key = keyOf_(clientOf(change));
    // Its interface has a name now that another one had when a row was put.
    return keysKept_.contains(key) ? keys_.clientByNumber(clientOf(change)) : key;
}

void RowSums::keep(const Change& row, const std::string& key) {
    if (clientOf(row).ip.scope() == 0) return;
    kept_.try_emplace(idOf(row), key);
    keysKept_.insert(key);
}

void RowSums::forget(RecordId id) noexcept {
    digests_.erase(id);
    const auto kept = kept_.find(id);
    if (kept == kept_.end()) return;
    keysKept_.erase(kept->second);
    kept_.erase(kept);
}

RowSums::Staged RowSums::stage(std::span<const Change> changes, const EventChanges& events) {
    Staged staged;
    staged.sum = sum_;
    staged.digests.reserve(changes.size());
    staged.operations.reserve(changes.size() + events.size() + 1);  // the head joins them
    try {
        for (const auto& change : changes)
            stage(change, staged);
        stage(events, staged);
    } catch (...) {
        drop(staged);
        throw;
    }
    return staged;
}

void RowSums::stage(const Change& change, Staged& staged) {
    const auto id = idOf(change);
    auto key = keyFor(change);
    const auto known = digests_.find(id);
    if (known != digests_.end() && known->second) staged.sum.take(*known->second);
    if (std::holds_alternative<ForgottenRecord>(change)) {
        staged.operations.emplace_back(Delete{std::move(key)});
        staged.digests.emplace_back(id, std::nullopt);
    } else {
        auto value = encodeRow(change);
        const auto digest = digestOf(key, value);
        staged.digests.emplace_back(id, digest);
        if (digests_.try_emplace(id).second) keep(change, key);
        staged.operations.emplace_back(Put{std::move(key), std::move(value)});
        staged.sum.add(digest);
    }
}

// What is not there needs no operation to go.
void RowSums::stage(const EventChanges& events, Staged& staged) {
    staged.events.reserve(events.published.size() + events.released.size());
    for (const auto& [sequence, event] : events.published) {
        auto key = keys_.event(sequence);
        const auto digest = digestOf(key, event);
        staged.events.emplace_back(sequence, digest);
        events_.try_emplace(sequence);
        staged.operations.emplace_back(Put{std::move(key), event});
        staged.sum.add(digest);
    }
    std::unordered_set<Sequence> gone;
    for (const auto sequence : events.released) {
        const auto known = events_.find(sequence);
        if (known == events_.end() || !known->second || !gone.insert(sequence).second) continue;
        staged.events.emplace_back(sequence, std::nullopt);
        staged.operations.emplace_back(Delete{keys_.event(sequence)});
        staged.sum.take(*known->second);
    }
    if (events.mark) {
        auto text = encodeMark(*events.mark);
        staged.mark = digestOf(keys_.mark(), text);
        if (mark_) staged.sum.take(*mark_);
        staged.sum.add(*staged.mark);
        staged.operations.emplace_back(Put{keys_.mark(), std::move(text)});
    }
    for (const auto& [post, sequence] : events.answered)
        staged.operations.emplace_back(Put{keys_.post(post), encodeAnswer(sequence)});
}

void RowSums::adopt(const Staged& staged) noexcept {
    for (const auto& [id, digest] : staged.digests) {
        if (digest) {
            digests_.find(id)->second = digest;
        } else {
            forget(id);
        }
    }
    for (const auto& [sequence, digest] : staged.events) {
        if (digest) {
            events_.find(sequence)->second = digest;
        } else {
            events_.erase(sequence);
        }
    }
    if (staged.mark) mark_ = staged.mark;
    sum_ = staged.sum;
}

void RowSums::drop(const Staged& staged) noexcept {
    for (const auto& [id, digest] : staged.digests) {
        const auto found = digests_.find(id);
        if (found != digests_.end() && !found->second) forget(id);
    }
    for (const auto& [sequence, digest] : staged.events) {
        const auto found = events_.find(sequence);
        if (found != events_.end() && !found->second) events_.erase(found);
    }
}

}  // namespace crnpd::etcd
