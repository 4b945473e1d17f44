// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/row_sums.h"

#include <new>

namespace crnpd::etcd {

RecordId idOf(const Change& change) noexcept {
    return std::visit([](const auto& record) { return record.id; }, change);
}

const CallbackAddress& clientOf(const Change& change) noexcept {
    return std::visit([](const auto& record) -> const CallbackAddress& { return record.client; }, change);
}

bool RowSums::add(const Change& row, const std::string& key, const std::string& value) {
    const auto digest = digestOf(key, value);
    if (!digests_.try_emplace(idOf(row), digest).second) return false;
    if (clientOf(row).ip.scope() != 0 && keys_.client(clientOf(row)) != key)
        strangeKeys_.try_emplace(idOf(row), key);
    sum_.add(digest);
    return true;
}

std::string RowSums::keyOf(const Change& change) const {
    if (const auto strange = strangeKeys_.find(idOf(change)); strange != strangeKeys_.end())
        return strange->second;
    return keys_.client(clientOf(change));
}

RowSums::Staged RowSums::stage(std::span<const Change> changes) {
    Staged staged;
    staged.sum = sum_;
    staged.digests.reserve(changes.size());
    staged.operations.reserve(changes.size() + 1);  // the head joins them
    try {
        for (const auto& change : changes)
            stage(change, staged);
    } catch (const std::bad_alloc&) {
        drop(staged);
        throw;
    }
    return staged;
}

void RowSums::stage(const Change& change, Staged& staged) {
    const auto id = idOf(change);
    auto key = keyOf(change);
    const auto known = digests_.find(id);
    if (known != digests_.end() && known->second) staged.sum.take(*known->second);
    if (std::holds_alternative<ForgottenRecord>(change)) {
        staged.operations.emplace_back(Delete{std::move(key)});
        staged.digests.emplace_back(id, std::nullopt);
    } else {
        auto value = encodeRow(change);
        const auto digest = digestOf(key, value);
        staged.operations.emplace_back(Put{std::move(key), std::move(value)});
        staged.digests.emplace_back(id, digest);
        digests_.try_emplace(id);
        staged.sum.add(digest);
    }
}

void RowSums::adopt(const Staged& staged) noexcept {
    for (const auto& [id, digest] : staged.digests) {
        if (digest) {
            digests_.find(id)->second = digest;
        } else {
            digests_.erase(id);
            strangeKeys_.erase(id);
        }
    }
    sum_ = staged.sum;
}

void RowSums::drop(const Staged& staged) noexcept {
    for (const auto& [id, digest] : staged.digests) {
        const auto found = digests_.find(id);
        if (found != digests_.end() && !found->second) digests_.erase(found);
    }
}

}  // namespace crnpd::etcd
