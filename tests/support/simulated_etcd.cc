// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/support/simulated_etcd.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace crnpd::support {
namespace {

using etcd::Revision;

const Error noAnswer{ErrorCode::busy, "no answer"};

bool changes(const std::vector<etcd::Operation>& operations) {
    return std::ranges::any_of(operations,
                               [](const auto& one) { return !std::holds_alternative<etcd::Get>(one); });
}

bool onlyReads(const etcd::Transaction& transaction) {
    return !changes(transaction.then) && !changes(transaction.otherwise);
}

bool puts(const etcd::Transaction& transaction) {
    const auto isPut = [](const auto& one) { return std::holds_alternative<etcd::Put>(one); };
    return std::ranges::any_of(transaction.then, isPut) || std::ranges::any_of(transaction.otherwise, isPut);
}

// What the real one refuses.
bool isWellFormed(const etcd::Transaction& transaction) {
    constexpr std::size_t most = 128;
    return transaction.conditions.size() <= most && transaction.then.size() <= most &&
           transaction.otherwise.size() <= most;
}

}  // namespace

std::optional<etcd::Row> SimulatedEtcd::rowAt(const std::string& key, Revision at) const {
    const auto found = rows_.find(key);
    if (found == rows_.end()) return std::nullopt;
    const auto& versions = found->second;
    const auto version = std::find_if(versions.rbegin(), versions.rend(),
                                      [at](const auto& candidate) { return candidate.at <= at; });
    return version == versions.rend() ? std::nullopt : version->row;
}

bool SimulatedEtcd::holds(const etcd::Transaction& transaction, Revision at) const {
    return std::ranges::all_of(transaction.conditions, [&](const etcd::Condition& condition) {
        const auto row = rowAt(condition.key, at);
        const auto created = row ? row->created : 0;
        const auto modified = row ? row->modified : 0;
        return (condition.of == etcd::Condition::Of::created ? created : modified) == condition.is;
    });
}

etcd::TransactionAnswer SimulatedEtcd::answerAt(const etcd::Transaction& transaction, Revision at) const {
    etcd::TransactionAnswer answer;
    answer.succeeded = holds(transaction, at);
    answer.revision = at;
    for (const auto& operation : answer.succeeded ? transaction.then : transaction.otherwise) {
        if (const auto* get = std::get_if<etcd::Get>(&operation)) answer.got.push_back(rowAt(get->key, at));
    }
    return answer;
}

Result<etcd::TransactionAnswer> SimulatedEtcd::carryOut(const etcd::Transaction& transaction) {
    ++counts_.transactions;
    if (!isWellFormed(transaction)) return Error{ErrorCode::invalidArgument, "too many operations"};
    if (isFull_ && puts(transaction)) {
        ++counts_.noSpace;
        return Error{ErrorCode::noSpace, "etcd's space is exhausted"};
    }
    const bool succeeded = holds(transaction, revision_);
    for (const auto& operation : succeeded ? transaction.then : transaction.otherwise) {
        const auto* one = std::get_if<etcd::Put>(&operation);
        if (one != nullptr && one->lease != 0 && !leases_.contains(one->lease))
            return Error{ErrorCode::notFound, "there is no such lease"};
    }
    hasChanged_ = false;
    for (const auto& operation : succeeded ? transaction.then : transaction.otherwise) {
        if (const auto* one = std::get_if<etcd::Put>(&operation)) put(*one);
        if (const auto* one = std::get_if<etcd::Delete>(&operation)) remove(*one);
    }
    if (hasChanged_) ++revision_;
    auto answer = answerAt(transaction, revision_);
    answer.succeeded = succeeded;
    answer.got.clear();
    for (const auto& operation : succeeded ? transaction.then : transaction.otherwise) {
        if (const auto* get = std::get_if<etcd::Get>(&operation)) answer.got.push_back(row(get->key));
    }
    if (hasChanged_ && observer_) observer_(transaction);
    return answer;
}

// At the revision that the transaction will have.
void SimulatedEtcd::set(const std::string& key, std::optional<etcd::Row> row) {
    rows_[key].push_back({revision_ + 1, std::move(row)});
    hasChanged_ = true;
}

void SimulatedEtcd::put(const etcd::Put& put) {
    const auto before = row(put.key);
    set(put.key,
        etcd::Row{put.key, put.value, before ? before->created : revision_ + 1, revision_ + 1, put.lease});
}

void SimulatedEtcd::remove(const etcd::Delete& deletion) {
    std::vector<std::string> keys;
    for (auto found = rows_.lower_bound(deletion.key);
         found != rows_.end() && found->first.starts_with(deletion.key); ++found) {
        if (deletion.isPrefix || found->first == deletion.key) keys.push_back(found->first);
    }
    for (const auto& key : keys) {
        if (row(key)) set(key, std::nullopt);
    }
}

Result<etcd::Page> SimulatedEtcd::read(const std::string& prefix, const std::string& after, Revision at,
                                       std::size_t limit) const {
    if (at != 0 && at < compacted_) return Error{ErrorCode::notFound, "that revision was compacted away"};
    etcd::Page page{revision_, {}, false};
    const auto begin = after.empty() ? rows_.lower_bound(prefix) : rows_.upper_bound(after);
    for (auto found = begin; found != rows_.end() && found->first.starts_with(prefix); ++found) {
        auto row = rowAt(found->first, at == 0 ? revision_ : at);
        if (!row) continue;
        page.hasMore = page.rows.size() == limit;
        if (page.hasMore) break;
        page.rows.push_back(std::move(*row));
    }
    return page;
}

void SimulatedEtcd::deliverLate(Random& random) {
    if (late_.empty()) return;
    const auto place = static_cast<std::ptrdiff_t>(random() % late_.size());
    const auto transaction = std::move(late_[static_cast<std::size_t>(place)]);
    late_.erase(late_.begin() + place);
    const auto answer = carryOut(transaction);
    if (answer) ++(answer->succeeded ? counts_.lateAccepted : counts_.lateRefused);
}

Result<etcd::LeaseId> SimulatedEtcd::grant(std::chrono::milliseconds time) {
    if (isFull_) return Error{ErrorCode::noSpace, "etcd's space is exhausted"};
    leases_[++lastLease_] = {time, clock_.steady() + time};
    return lastLease_;
}

Result<void> SimulatedEtcd::keepAlive(etcd::LeaseId lease) {
    const auto found = leases_.find(lease);
    if (found == leases_.end()) return Error{ErrorCode::notFound, "there is no such lease"};
    found->second.end = clock_.steady() + found->second.time;
    return {};
}

void SimulatedEtcd::revoke(etcd::LeaseId lease) {
    leases_.erase(lease);
    hasChanged_ = false;
    for (const auto& [key, versions] : rows_) {
        const auto now = row(key);
        if (now && now->lease == lease) set(key, std::nullopt);
    }
    if (hasChanged_) ++revision_;
}

void SimulatedEtcd::endLeases() {
    std::vector<etcd::LeaseId> over;
    for (const auto& [id, lease] : leases_) {
        if (lease.end <= clock_.steady()) over.push_back(id);
    }
    for (const auto id : over) {
        ++counts_.leasesEnded;
        revoke(id);
    }
}

bool SimulatedLink::happens(unsigned thousandths) {
    return faults_ != nullptr && thousandths > 0 && (*random_)() % 1000 < thousandths;
}

Revision SimulatedLink::somewhatAgo() {
    constexpr std::uint64_t most = 12;
    ++etcd_.counts().stale;
    return std::max<Revision>(1, etcd_.revision() - static_cast<Revision>((*random_)() % most));
}

void SimulatedLink::wait() const {
    if (pause_) pause_();
}

// A call that changes nothing that matters twice: it arrives and is answered, or not.
template <typename Call>
auto SimulatedLink::call(Call&& toEtcd) -> decltype(toEtcd()) {
    wait();
    if (isCut_ || (faults_ != nullptr && happens(faults_->lost))) return noAnswer;
    auto answer = toEtcd();
    wait();
    if (isCut_ || (faults_ != nullptr && happens(faults_->dropped))) return noAnswer;
    return answer;
}

Result<etcd::TransactionAnswer> SimulatedLink::transact(const etcd::Transaction& transaction) noexcept {
    wait();
    if (isCut_) return noAnswer;
    auto answer = send(transaction);
    wait();
    if (isCut_) return noAnswer;
    return answer;
}

Result<etcd::TransactionAnswer> SimulatedLink::send(const etcd::Transaction& transaction) {
    if (faults_ == nullptr) return etcd_.carryOut(transaction);
    if (happens(faults_->lost)) {
        ++etcd_.counts().lost;
        return noAnswer;
    }
    if (onlyReads(transaction) && happens(faults_->stale)) return etcd_.answerAt(transaction, somewhatAgo());
    if (happens(faults_->late)) {
        etcd_.keepForLater(transaction);
        return noAnswer;
    }
    auto answer = etcd_.carryOut(transaction);
    // A refusal promises that this was all of it.
    if (answer && happens(faults_->repeated)) {
        ++etcd_.counts().repeated;
        etcd_.keepForLater(transaction);
    }
    if (happens(faults_->dropped)) {
        ++etcd_.counts().dropped;
        return noAnswer;
    }
    return answer;
}

Result<etcd::Page> SimulatedLink::read(const std::string& prefix, const std::string& after, Revision at,
                                       std::size_t limit) noexcept {
    return call([&]() -> Result<etcd::Page> {
        if (at == 0 && faults_ != nullptr && happens(faults_->stale)) {
            const auto then = somewhatAgo();
            auto page = etcd_.read(prefix, after, then, limit);
            if (page) page->revision = then;
            return page;
        }
        return etcd_.read(prefix, after, at, limit);
    });
}

Result<etcd::LeaseId> SimulatedLink::grant(std::chrono::seconds time) noexcept {
    return call([&] { return etcd_.grant(time); });
}

Result<void> SimulatedLink::keepAlive(etcd::LeaseId lease) noexcept {
    return call([&] { return etcd_.keepAlive(lease); });
}

Result<void> SimulatedLink::revoke(etcd::LeaseId lease) noexcept {
    return call([&]() -> Result<void> {
        etcd_.revoke(lease);
        return {};
    });
}

}  // namespace crnpd::support
