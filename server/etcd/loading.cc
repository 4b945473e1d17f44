// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/loading.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/crash_point.h"
#include "common/mark_codec.h"
#include "common/messages.h"
#include "server/etcd/pages.h"

namespace crnpd::etcd {
namespace {

Error damaged(std::string text) {
    return {ErrorCode::damaged, std::move(text) + ". Nothing was changed. Restore a back-up."};
}

Error damagedAt(const std::string& key, const Error& why) {
    if (why.code == ErrorCode::foreign) return why;
    return damaged(key + " is damaged: " + why.text);
}

void sortById(Snapshot& snapshot) {
    std::ranges::sort(snapshot.clients, {}, &ClientRecord::id);
    std::ranges::sort(snapshot.removals, {}, &RemovalRecord::id);
}

void append(Snapshot& snapshot, Change&& row) {
    if (auto* client = std::get_if<ClientRecord>(&row)) snapshot.clients.push_back(std::move(*client));
    if (auto* removal = std::get_if<RemovalRecord>(&row)) snapshot.removals.push_back(*removal);
}

}  // namespace

Error supersededBy(const std::optional<Row>& leader) {
    if (!leader) return {ErrorCode::superseded, "this server's leadership has ended"};
    const auto who = decodeLeader(leader->value);
    return {ErrorCode::superseded,
            fmt::format("{} leads, term {}", who ? who->name : "another server", leader->created)};
}

Loading::Loading(Attempts& etcd, const Clock& clock, const Keys& keys, store::Term term, Limits limits,
                 WarmCopy* copy)
    : etcd_(etcd), clock_(clock), keys_(keys), term_(term), limits_(limits), copy_(copy) {}

Result<Loaded> Loading::load() {
    const auto end = clock_.steady() + limits_.patience;
    auto seen = look();
    while (seen) {
        const auto head = next(*seen);
        if (!head) return head.error();
        crashPoint("etcd_before_fence");
        const auto answer = etcd_.transact(fence(*seen, *head), limits_.patience);
        crashPoint("etcd_after_fence");
        if (!answer) return answer.error();
        if (answer->succeeded) {
            if (auto loaded = loadAt(*head, answer->revision)) return std::move(*loaded);
            seen = look();
        } else {
            const auto& leader = answer->got.at(0);
            if (!leader || leader->created != static_cast<Revision>(term_)) return supersededBy(leader);
            seen = Seen{answer->got.at(1), answer->got.at(2)};
        }
        if (etcd_.isAbandoned() || clock_.steady() >= end)
            return Error{ErrorCode::busy, "etcd's content could not be read in time: it changes too fast"};
    }
    return seen.error();
}

// May be somewhat ago: the transaction that follows tells.
Result<Loading::Seen> Loading::look() {
    const auto answer = etcd_.transact({{}, {Get{keys_.format()}, Get{keys_.head()}}, {}}, limits_.patience);
    if (!answer) return answer.error();
    Seen seen{answer->got.at(0), answer->got.at(1)};
    if (seen.format || seen.head) return seen;

    for (const auto& prefix : {keys_.clients(), keys_.events(), keys_.mark()}) {
        const auto rows = etcd_.read(prefix, "", answer->revision, 1, limits_.patience);
        if (!rows)
            return rows.error().code == ErrorCode::notFound ? Error{ErrorCode::busy, rows.error().text}
                                                            : rows.error();
        if (!rows->rows.empty()) {
            return damaged(fmt::format("there is {} but neither {} nor {}", rows->rows.front().key,
                                       keys_.format(), keys_.head()));
        }
    }
    return seen;
}

// What we put in the place of the head that was seen.
Result<Head> Loading::next(const Seen& seen) const {
    if (!seen.format && !seen.head) return Head{.term = term_, .sum = {}, .earlier = {}};
    if (!seen.format || !seen.head)
        return damaged((seen.format ? keys_.head() : keys_.format()) + " is missing");
    if (const auto format = checkFormat(seen.format->value); !format)
        return damagedAt(keys_.format(), format.error());
    const auto head = decodeHead(seen.head->value);
    if (!head) return damagedAt(keys_.head(), head.error());
    if (head->term == term_) return *head;
    if (head->term < term_) return succeeded(*head, term_);
    return Error{
        ErrorCode::superseded,
        fmt::format("term {} has written, this server's is {}: another server leads. If none does, "
                    "the keys were copied from another etcd; move them with crnpctl dump and restore",
                    head->term, term_)};
}

Transaction Loading::fence(const Seen& seen, const Head& next) const {
    Transaction transaction;
    transaction.conditions = {{Condition::Of::created, keys_.leader(), static_cast<Revision>(term_)},
                              {Condition::Of::modified, keys_.head(), seen.head ? seen.head->modified : 0}};
    if (!seen.format) transaction.conditions.push_back({Condition::Of::created, keys_.format(), 0});
    // From here on no server of an older format reads or writes.
    if (!seen.format || seen.format->value != formatText())
        transaction.then.emplace_back(Put{keys_.format(), formatText()});
    transaction.then.emplace_back(Put{keys_.head(), encodeHead(next)});
    transaction.otherwise = {Get{keys_.leader()}, Get{keys_.format()}, Get{keys_.head()}};
    return transaction;
}

std::optional<Result<Loaded>> Loading::loadAt(Head head, Revision revision) {
    if (head.isFilling) return clear(std::move(head), revision);
    if (auto copied = fromCopy(head, revision)) return std::move(*copied);
    return fromRows(head, revision);
}

// The restore that was not finished has put rows of clients that nobody was promised. Events stay.
std::optional<Result<Loaded>> Loading::clear(Head head, Revision revision) {
    const auto rows = head.sum.rows;
    head.isFilling = false;
    Loaded loaded{head, revision, {}, RowSums(keys_)};
    auto read = readBelow(keys_.events(), &Loading::takeEvents, loaded);
    if (read) read = readBelow(keys_.mark(), &Loading::takeMark, loaded);
    if (!read && read.error().code == ErrorCode::notFound) return std::nullopt;
    if (!read) return read.error();
    head.sum = loaded.rows.sum();
    const Transaction transaction{{{Condition::Of::created, keys_.leader(), static_cast<Revision>(term_)},
                                   {Condition::Of::modified, keys_.head(), revision}},
                                  {Delete{keys_.clients(), true}, Put{keys_.head(), encodeHead(head)}},
                                  {}};
    const auto answer = etcd_.transact(transaction, limits_.patience);
    if (!answer) return answer.error();
    if (!answer->succeeded) return std::nullopt;
    log(msg::fillingCleared, rows);
    loaded.head = head;
    loaded.headRevision = answer->revision;
    loaded.snapshot.head = head.batch;
    loaded.snapshot.last = head.last;
    return loaded;
}

std::optional<Loaded> Loading::fromCopy(const Head& head, Revision revision) {
    if (copy_ == nullptr) return std::nullopt;
    auto copy = copy_->takeAt(revision, limits_.catchUp);
    if (!copy) return std::nullopt;
    Loaded loaded{head, revision, std::move(copy->snapshot), std::move(copy->rows)};
    loaded.snapshot.head = head.batch;
    loaded.snapshot.last = head.last;
    if (loaded.rows.sum() == head.sum) return loaded;
    log(msg::copyDiffers, loaded.rows.sum().rows, head.sum.rows);
    return std::nullopt;
}

std::optional<Result<Loaded>> Loading::fromRows(const Head& head, Revision revision) {
    Loaded loaded{head, revision, {}, RowSums(keys_)};
    loaded.snapshot.head = head.batch;
    loaded.snapshot.last = head.last;
    auto read = readBelow(keys_.clients(), &Loading::take, loaded);
    if (read) read = readBelow(keys_.events(), &Loading::takeEvents, loaded);
    if (read) read = readBelow(keys_.mark(), &Loading::takeMark, loaded);
    if (!read && read.error().code == ErrorCode::notFound) return std::nullopt;
    if (!read) return read.error();
    const auto& sum = loaded.rows.sum();
    if (sum != head.sum) {
        return damaged(fmt::format("{} says {} rows with the sum {:016x}, there are {} with the sum {:016x}",
                                   keys_.head(), head.sum.rows, head.sum.digests, sum.rows, sum.digests));
    }
    sortById(loaded.snapshot);
    return loaded;
}

Result<void> Loading::readBelow(const std::string& prefix, Take takePage, Loaded& loaded) {
    Pages pages([&](const std::string& after, Revision at,
                    std::size_t rows) { return etcd_.read(prefix, after, at, rows, limits_.patience); },
                loaded.headRevision);
    while (pages.hasMore()) {
        const auto page = pages.next();
        if (!page) return page.error();
        if (auto taken = (this->*takePage)(*page, loaded); !taken) return taken;
    }
    return {};
}

Result<void> Loading::takeEvents(const Page& page, Loaded& loaded) const {
    for (const auto& row : page.rows) {
        auto event = decodeEventRow(keys_, row.key, row.value);
        if (!event) return damaged(event.error().text);
        loaded.rows.add(*event);
        loaded.snapshot.events.push_back(std::move(*event));
    }
    return {};
}

Result<void> Loading::takeMark(const Page& page, Loaded& loaded) const {
    for (const auto& row : page.rows) {
        if (row.key != keys_.mark()) continue;
        auto mark = decodeMark(row.value);
        if (!mark) return damagedAt(row.key, mark.error());
        loaded.rows.add(*mark);
        loaded.snapshot.mark = std::move(*mark);
    }
    return {};
}

Result<void> Loading::take(const Page& page, Loaded& loaded) const {
    for (const auto& row : page.rows) {
        auto change = decodeRow(keys_, row.key, row.value);
        if (!change) return damaged(change.error().text);
        if (!loaded.rows.add(*change, row.key, row.value))
            return damaged(fmt::format("two rows have the id {}, one of them is {}", idOf(*change), row.key));
        append(loaded.snapshot, std::move(*change));
    }
    return {};
}

}  // namespace crnpd::etcd
