// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What a store of ours writes into etcd, for tests of those who read it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "server/etcd/key_value.h"
#include "server/etcd/keys.h"
#include "tests/support/store_folder.h"

namespace crnpd::etcd {

// Makes one transaction of each batch, and knows what is there after it.
class RowWriter {
public:
    explicit RowWriter(Keys keys) : keys_(std::move(keys)) {}

    [[nodiscard]] Transaction batch(const std::vector<Change>& changes) {
        Transaction transaction;
        for (const auto& change : changes) {
            const auto key =
                std::visit([&](const auto& record) { return keys_.client(record.client); }, change);
            if (const auto old = values_.find(key); old != values_.end()) {
                head_.sum.take(digestOf(key, old->second));
                values_.erase(old);
            }
            if (std::holds_alternative<ForgottenRecord>(change)) {
                transaction.then.emplace_back(Delete{key});
                continue;
            }
            const auto value = encodeRow(change);
            head_.sum.add(digestOf(key, value));
            values_[key] = value;
            transaction.then.emplace_back(Put{key, value});
        }
        head_.term = 1;
        ++head_.batch;
        store::apply(snapshot_, head_.batch, changes);
        transaction.then.emplace_back(Put{keys_.head(), encodeHead(head_)});
        return transaction;
    }

    [[nodiscard]] const Keys& keys() const { return keys_; }
    [[nodiscard]] const Head& head() const { return head_; }
    [[nodiscard]] const Snapshot& snapshot() const { return snapshot_; }

private:
    Keys keys_;
    Head head_;
    std::map<std::string, std::string> values_;
    Snapshot snapshot_;
};

// From 1 to 5 changes of different clients, of which there are 200.
template <typename Random>
std::vector<Change> someChanges(Random& random) {
    std::vector<Change> changes;
    RecordId id = 1 + random() % 40;
    for (auto left = 1 + random() % 5; left > 0; --left, id += 40) {
        switch (random() % 4) {
            case 0:
                changes.emplace_back(store::removal(id));
                break;
            case 1:
                changes.emplace_back(store::forgotten(id));
                break;
            default:
                changes.emplace_back(store::client(id, static_cast<unsigned>(1 + random() % 3)));
        }
    }
    return changes;
}

}  // namespace crnpd::etcd
