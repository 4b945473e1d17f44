// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/leadership.h"

#include <utility>

#include "server/etcd/guarded.h"

namespace crnpd::etcd {
namespace {

// What was sent by then may have been carried out.
constexpr const char* interrupted = "the election broke off";

// The outcome of one attempt, and the leader's row if it is not ours.
struct Contest {
    Standing standing;
    Row leader;
};

Standing leadingSince(Revision created, Revision now) {
    Standing standing;
    standing.term = static_cast<store::Term>(created);
    standing.revision = now;
    return standing;
}

// Somebody leads, also if his name cannot be read.
Standing ledBy(const Row& row, Revision now) {
    Standing standing;
    auto leader = decodeLeader(row.value);
    standing.leader = leader ? std::move(*leader) : Leader{"an unknown program", {}};
    standing.lease = row.lease;
    standing.revision = now;
    return standing;
}

Result<Contest> contest(KeyValue& etcd, const Keys& keys, LeaseId lease, const Leader& self) {
    Transaction stand;
    stand.conditions = {{Condition::Of::created, keys.leader(), 0}};
    stand.then = {Put{keys.leader(), encodeLeader(self), lease}};
    stand.otherwise = {Get{keys.leader()}};
    auto answer = etcd.transact(stand);
    if (!answer) return answer.error();
    if (answer->succeeded) return Contest{leadingSince(answer->revision, answer->revision), {}};
    if (answer->got.empty() || !answer->got.front())
        return Error{ErrorCode::busy, "etcd did not say who leads"};

    Contest lost{{}, std::move(*answer->got.front())};
    if (lost.leader.lease == lease) return Contest{leadingSince(lost.leader.created, answer->revision), {}};
    lost.standing = ledBy(lost.leader, answer->revision);
    return lost;
}

Transaction removalOf(const Keys& keys, Revision term) {
    Transaction removal;
    removal.conditions = {{Condition::Of::created, keys.leader(), term}};
    removal.then = {Delete{keys.leader()}};
    return removal;
}

}  // namespace

Result<std::optional<Standing>> otherLeader(KeyValue& etcd, const Keys& keys, LeaseId lease) noexcept {
    return guarded(ErrorCode::busy, interrupted, [&]() -> Result<std::optional<Standing>> {
        auto page = etcd.read(keys.leader(), "", 0, 1);
        if (!page) return page.error();
        if (page->rows.empty() || page->rows.front().key != keys.leader() ||
            page->rows.front().lease == lease)
            return std::optional<Standing>{};
        return std::optional(ledBy(page->rows.front(), page->revision));
    });
}

Result<Standing> standFor(KeyValue& etcd, const Keys& keys, LeaseId lease, const Leader& self) noexcept {
    return guarded(ErrorCode::busy, interrupted, [&]() -> Result<Standing> {
        auto outcome = contest(etcd, keys, lease, self);
        if (!outcome) return outcome.error();
        return std::move(outcome->standing);
    });
}

// The key has to be created anew, for the term; a transaction cannot delete and put the same key.
Result<Standing> seize(KeyValue& etcd, const Keys& keys, LeaseId lease, const Leader& self) noexcept {
    return guarded(ErrorCode::busy, interrupted, [&]() -> Result<Standing> {
        auto outcome = contest(etcd, keys, lease, self);
        if (!outcome) return outcome.error();
        if (outcome->standing.term) return std::move(outcome->standing);
        auto removed = etcd.transact(removalOf(keys, outcome->leader.created));
        if (!removed) return removed.error();
        return standFor(etcd, keys, lease, self);
    });
}

Result<void> resign(KeyValue& etcd, const Keys& keys, store::Term term) noexcept {
    return guarded(ErrorCode::busy, interrupted, [&]() -> Result<void> {
        auto removed = etcd.transact(removalOf(keys, static_cast<Revision>(term)));
        if (!removed) return removed.error();
        return {};
    });
}

}  // namespace crnpd::etcd
