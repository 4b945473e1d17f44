// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/support/failing_store.h"

#include <gtest/gtest.h>

#include "server/store/memory_store.h"
#include "tests/support/store_folder.h"

namespace crnpd::store {
namespace {

using Changes = std::vector<Change>;
const Error noAnswer{ErrorCode::io, "no answer"};

class FailingStoreTest : public testing::Test {
protected:
    MemoryStore memory;
    FailingStore store{memory};

    void SetUp() override { ASSERT_TRUE(store.load()); }
    CommitState commit(BatchId batch) { return store.commit(batch, Changes{client(batch)}).state; }
};

TEST_F(FailingStoreTest, FailsTheChosenCommitOnly) {
    store.failCommit(2, CommitOutcome::notCommitted(noAnswer));
    EXPECT_EQ(commit(1), CommitState::committed);
    EXPECT_EQ(commit(2), CommitState::notCommitted);
    EXPECT_EQ(commit(2), CommitState::committed);
    EXPECT_EQ(memory.load()->clients.size(), 2U);
}

TEST_F(FailingStoreTest, TellsTheTruthAboutAnUnknownBatch) {
    store.failCommit(1, CommitOutcome::unknown(noAnswer), FailingStore::Effect::applied);
    store.failCommit(2, CommitOutcome::unknown(noAnswer));
    EXPECT_EQ(commit(1), CommitState::unknown);
    EXPECT_EQ(store.outcomeOf(1, {}).state, CommitState::committed);
    EXPECT_EQ(commit(2), CommitState::unknown);
    EXPECT_EQ(store.outcomeOf(2, {}).state, CommitState::notCommitted);
    EXPECT_EQ(store.load()->clients, std::vector{client(1)});
}

TEST_F(FailingStoreTest, StaysUnknownAsOftenAsItIsTold) {
    store.failCommit(1, CommitOutcome::unknown(noAnswer), FailingStore::Effect::applied);
    store.answerOutcome(CommitOutcome::unknown(noAnswer));
    EXPECT_EQ(commit(1), CommitState::unknown);
    EXPECT_EQ(store.outcomeOf(1, {}).state, CommitState::unknown);
    EXPECT_EQ(store.load()->head, 1U);
    EXPECT_EQ(commit(2), CommitState::committed);
}

}  // namespace
}  // namespace crnpd::store
