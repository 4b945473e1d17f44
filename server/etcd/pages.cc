// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/pages.h"

#include <algorithm>
#include <utility>

namespace crnpd::etcd {
namespace {

// Before twice as many are tried again: what is too large after all costs one attempt in so many.
constexpr std::size_t fullPagesBeforeMore = 8;

}  // namespace

Pages::Pages(Read read, Revision at, Size size)
    : read_(std::move(read)),
      at_(at),
      size_(size),
      limit_(size.most),
      rows_(std::min(size.first, size.most)) {}

Result<Page> Pages::next() {
    auto page = read_(after_, at_, rows_);
    if (!page) return page;
    if (at_ == 0) at_ = page->revision;
    hasMore_ = page->hasMore && !page->rows.empty();
    if (hasMore_) {
        after_ = page->rows.back().key;
        resize(*page);
    }
    return page;
}

// After a page behind which there is more.
void Pages::resize(const Page& page) {
    const auto got = page.rows.size();
    if (got < rows_) {
        limit_ = got;
        full_ = 0;
    } else if (++full_ == fullPagesBeforeMore) {
        limit_ = std::min(2 * limit_, size_.most);
        full_ = 0;
    }
    std::size_t bytes = 0;
    for (const auto& row : page.rows)
        bytes += row.key.size() + row.value.size();
    rows_ = std::clamp(size_.bytes * got / std::max<std::size_t>(bytes, 1), std::size_t{1}, limit_);
}

}  // namespace crnpd::etcd
