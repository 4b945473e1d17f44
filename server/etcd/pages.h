// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// How many rows to ask etcd for, page after page.
//
// Promise    Every row below the prefix once, by key, as of one revision. For each page etcd 3.4 looks at
//            all keys that are left, however few rows are wanted, so a few large pages cost it least:
//            100,000 rows take it twice as long in pages of 1,000 as in pages of 10,000. But a page has to
//            come within one attempt's time, and rows may be large: the first page is small, those that
//            follow are made about as large in bytes as pays, and for a while no larger than what was
//            answered when a larger one was not. Only for a while, because it may have been a member that
//            died.
// Threads    One at a time.
// Errors     Those of reading. A page that could not be read may be asked for again.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "server/etcd/key_value.h"

namespace crnpd::etcd {

// How many of `rows` to ask for in this attempt, the first being 1. The second asks for as many: the first
// may have gone to a member that died. After that they may be too many for the time.
[[nodiscard]] constexpr std::size_t rowsInAttempt(std::size_t rows, unsigned attempt) noexcept {
    for (; attempt > 2 && rows > 1; --attempt)
        rows /= 2;
    return rows;
}

class Pages {
public:
    struct Size {
        std::size_t first = 100;
        std::size_t most = 10'000;
        std::size_t bytes = std::size_t{2} << 20U;  // of keys and values
    };
    // At most `rows` of those behind the key `after`, as of `at`; may give fewer, and says then that there
    // are more.
    using Read = std::function<Result<Page>(const std::string& after, Revision at, std::size_t rows)>;

    // As of `at`, or of the first page's revision if that is 0.
    Pages(Read read, Revision at, Size size);
    Pages(Read read, Revision at) : Pages(std::move(read), at, Size{}) {}

    // Whether there is another page; there is a first one in any case.
    [[nodiscard]] bool hasMore() const noexcept { return hasMore_; }
    [[nodiscard]] Revision revision() const noexcept { return at_; }
    [[nodiscard]] Result<Page> next();

private:
    void resize(const Page& page);

    Read read_;
    Revision at_;
    Size size_;
    std::size_t limit_;     // at present
    std::size_t full_ = 0;  // pages that came as asked for since the limit was set
    std::size_t rows_;
    std::string after_;
    bool hasMore_ = true;
};

}  // namespace crnpd::etcd
