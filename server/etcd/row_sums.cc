// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/row_sums.h"

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
    const auto digest = digestOf(key, value);
    if (!digests_.try_emplace(idOf(row), digest).second) return false;
    keep(row, key);
    sum_.add(digest);
    return true;
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

RowSums::Staged RowSums::stage(std::span<const Change> changes) {
    Staged staged;
    staged.sum = sum_;
    staged.digests.reserve(changes.size());
    staged.operations.reserve(changes.size() + 1);  // the head joins them
    try {
        for (const auto& change : changes)
            stage(change, staged);
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

void RowSums::adopt(const Staged& staged) noexcept {
    for (const auto& [id, digest] : staged.digests) {
        if (digest) {
            digests_.find(id)->second = digest;
        } else {
            forget(id);
        }
    }
    sum_ = staged.sum;
}

void RowSums::drop(const Staged& staged) noexcept {
    for (const auto& [id, digest] : staged.digests) {
        const auto found = digests_.find(id);
        if (found != digests_.end() && !found->second) forget(id);
    }
}

}  // namespace crnpd::etcd
