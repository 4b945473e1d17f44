// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/attempts.h"

#include <optional>
#include <thread>
#include <utility>

#include "server/etcd/pages.h"

namespace crnpd::etcd {

Attempts::Attempts(KeyValue& etcd, const Clock& clock, std::chrono::milliseconds pause, Wait wait)
    : etcd_(etcd), clock_(clock), pause_(pause), wait_(std::move(wait)) {
    if (!wait_) wait_ = [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); };
}

Result<TransactionAnswer> Attempts::transact(const Transaction& transaction,
                                             std::chrono::milliseconds limit) {
    std::optional<Result<TransactionAnswer>> answer;
    repeat(limit, [&] {
        answer.emplace(etcd_.transact(transaction));
        return *answer || answer->error().code != ErrorCode::busy;
    });
    return std::move(*answer);
}

Result<Page> Attempts::read(const std::string& prefix, const std::string& after, Revision at,
                            std::size_t rows, std::chrono::milliseconds limit) {
    std::optional<Result<Page>> page;
    unsigned attempt = 0;
    repeat(limit, [&] {
        page.emplace(etcd_.read(prefix, after, at, rowsInAttempt(rows, ++attempt)));
        return *page || page->error().code != ErrorCode::busy;
    });
    return std::move(*page);
}

void Attempts::repeat(std::chrono::milliseconds limit, const std::function<bool()>& attempt) {
    const auto end = clock_.steady() + limit;
    for (auto begin = clock_.steady(); !attempt() && !abandoned_; begin = clock_.steady()) {
        const auto now = clock_.steady();
        if (now >= end) return;
        // An attempt that has waited for its answer has waited enough.
        const auto rest = pause_ - std::chrono::duration_cast<std::chrono::milliseconds>(now - begin);
        if (rest.count() > 0) wait_(rest);
        if (abandoned_) return;
    }
}

}  // namespace crnpd::etcd
