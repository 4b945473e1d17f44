// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/pages.h"

#include <algorithm>
#include <map>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/etcd/attempts.h"
#include "tests/support/manual_clock.h"

namespace crnpd::etcd {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::Ge;
using testing::Le;

// Answers the fourth attempt.
class SilentAtFirst final : public KeyValue {
public:
    Result<TransactionAnswer> transact(const Transaction& /*transaction*/) noexcept override {
        return TransactionAnswer{};
    }
    Result<Page> read(const std::string& /*prefix*/, const std::string& /*after*/, Revision at,
                      std::size_t limit) noexcept override {
        asked.push_back(limit);
        if (asked.size() < 4) return Error{ErrorCode::busy, "no answer"};
        return Page{at, {}, false};
    }

    std::vector<std::size_t> asked;
};

// A table of rows that answers no more than `answered` of them at once.
class PagesTest : public testing::Test {
protected:
    void fill(std::size_t rows, std::size_t bytes) {
        for (std::size_t index = 0; index < rows; ++index)
            table.emplace(fmt::format("{:06}", table.size()), std::string(bytes, 'x'));
    }
    Pages pages(Pages::Size size) {
        return {
            [this](const std::string& after, Revision at, std::size_t rows) { return read(after, at, rows); },
            0, size};
    }
    Result<Page> read(const std::string& after, Revision at, std::size_t rows) {
        asked.push_back(rows);
        revisions.push_back(at);
        if (isSilent) return Error{ErrorCode::busy, "no answer"};
        Page page{revision++, {}, false};
        auto row = table.upper_bound(after);
        for (auto left = std::min(rows, answered); left > 0 && row != table.end(); --left, ++row)
            page.rows.push_back({row->first, row->second, 1, 1, 0});
        page.hasMore = row != table.end();
        return page;
    }
    // The keys that come, page after page.
    std::vector<std::string> keysOf(Pages from) {
        std::vector<std::string> found;
        while (from.hasMore()) {
            const auto page = from.next();
            if (!page) break;
            for (const auto& row : page->rows)
                found.push_back(row.key);
        }
        return found;
    }
    // Whatever was asked for before.
    void expectRest(Pages from) {
        const auto rest = keysOf(std::move(from));
        ASSERT_FALSE(rest.empty());
        EXPECT_EQ(rest.back(), table.rbegin()->first);
        EXPECT_TRUE(std::ranges::is_sorted(rest));
    }
    void expectAll(const std::vector<std::string>& found) {
        std::vector<std::string> all;
        for (const auto& [key, value] : table)
            all.push_back(key);
        EXPECT_EQ(found, all);
    }

    std::map<std::string, std::string> table;
    std::size_t answered = 1'000'000;
    Revision revision = 7;  // others write meanwhile
    bool isSilent = false;
    std::vector<std::size_t> asked;
    std::vector<Revision> revisions;
};

TEST_F(PagesTest, BringsEveryRowOnceAsOfTheFirstPagesRevision) {
    fill(1000, 10);
    expectAll(keysOf(pages({7, 7, 1'000'000})));
    EXPECT_EQ(asked.size(), 143U);
    EXPECT_EQ(revisions.front(), 0);
    revisions.erase(revisions.begin());
    EXPECT_THAT(revisions, Each(7));
}

TEST_F(PagesTest, ThereIsAFirstPageEvenOfNothing) {
    expectAll(keysOf(pages({})));
    EXPECT_EQ(asked.size(), 1U);
}

TEST_F(PagesTest, AfterASmallFirstOneTheyAreAsLargeAsPays) {
    fill(100, 94);  // 100 bytes with its key
    expectAll(keysOf(pages({10, 1000, 3000})));
    EXPECT_THAT(asked, ElementsAre(10, 30, 30, 30));
}

TEST_F(PagesTest, NeverMoreRowsThanTheMostHoweverSmallTheyAre) {
    fill(100, 0);
    expectAll(keysOf(pages({10, 20, 1'000'000})));
    EXPECT_THAT(asked, Each(Le(20)));
}

TEST_F(PagesTest, OneAtATimeIfTheyAreLarge) {
    fill(3, 5000);
    expectAll(keysOf(pages({1, 1000, 3000})));
    EXPECT_THAT(asked, ElementsAre(1, 1, 1));
}

TEST_F(PagesTest, AsksForNoMoreThanWasAnsweredBefore) {
    fill(100, 0);
    answered = 15;
    expectAll(keysOf(pages({10, 1000, 1'000'000})));
    EXPECT_THAT(asked, ElementsAre(10, 1000, 15, 15, 15, 15, 15));
}

TEST_F(PagesTest, AsksForMoreAgainWhenSeveralCameAsAskedFor) {
    fill(3000, 0);
    answered = 3;
    auto all = pages({10, 1000, 1'000'000});
    ASSERT_TRUE(all.next());
    answered = 1000;
    expectRest(std::move(all));
    EXPECT_THAT(asked, Contains(Ge(100)));
    EXPECT_LT(asked.size(), 60U);
}

TEST(RowsInAttempt, AreAsManyOnceMoreAndThenHalfAsMany) {
    EXPECT_EQ(rowsInAttempt(1000, 1), 1000U);
    EXPECT_EQ(rowsInAttempt(1000, 2), 1000U);
    EXPECT_EQ(rowsInAttempt(1000, 3), 500U);
    EXPECT_EQ(rowsInAttempt(1000, 4), 250U);
    EXPECT_EQ(rowsInAttempt(1, 9), 1U);
}

TEST(AttemptsAtAPage, AskForFewerRowsFromTheThirdOn) {
    const support::ManualClock clock;
    SilentAtFirst etcd;
    Attempts attempts(etcd, clock, std::chrono::milliseconds(1), [](std::chrono::milliseconds) {});
    EXPECT_TRUE(attempts.read("/", "", 0, 1000, std::chrono::seconds(1)));
    EXPECT_THAT(etcd.asked, ElementsAre(1000, 1000, 500, 250));
}

TEST_F(PagesTest, APageThatDidNotComeCanBeAskedForAgain) {
    fill(20, 0);
    auto all = pages({10, 10, 1'000'000});
    ASSERT_TRUE(all.next());
    isSilent = true;
    EXPECT_FALSE(all.next());
    isSilent = false;
    const auto page = all.next();
    ASSERT_TRUE(page);
    EXPECT_EQ(page->rows.front().key, "000010");
    EXPECT_FALSE(all.hasMore());
}

}  // namespace
}  // namespace crnpd::etcd
