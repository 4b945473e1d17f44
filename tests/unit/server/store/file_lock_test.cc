// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/store/file_lock.h"

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/store_folder.h"

namespace crnpd::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

// A process that leads until it is killed.
class Rival {
public:
    explicit Rival(const std::string& store) {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        const UniqueFd reading(ends[0]);
        UniqueFd writing(ends[1]);
        pid_ = ::fork();
        if (pid_ == 0) {
            FileLock lock(store);
            const char elected = lock.campaign({}) ? 'y' : 'n';
            (void)!::write(writing.fd(), &elected, 1);
            for (;;)
                ::pause();
        }
        writing.reset();
        char elected = 'n';
        EXPECT_EQ(::read(reading.fd(), &elected, 1), 1);
        EXPECT_EQ(elected, 'y');
    }
    ~Rival() { kill(); }
    Rival(const Rival&) = delete;
    Rival& operator=(const Rival&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }

private:
    pid_t pid_ = 0;
};

class FileLockTest : public testing::Test {
protected:
    StoreFolder folder;
    FileLock lock{folder.store()};
    std::stop_source stop;

    std::future<Result<Term>> campaign(FileLock& candidate) {
        return std::async(std::launch::async, [&] { return candidate.campaign(stop.get_token()); });
    }
    std::string lockFile() const { return contentOf(folder.store() + ".lock"); }
};

TEST_F(FileLockTest, ElectsTheFirstAtOnce) {
    const auto term = lock.campaign({});
    ASSERT_TRUE(term) << term.error().text;
    EXPECT_EQ(*term, 1U);
    EXPECT_EQ(lock.leader(), "");
    EXPECT_THAT(lockFile(), HasSubstr("pid: " + std::to_string(::getpid()) + "\nhost: "));
    EXPECT_THAT(lockFile(), HasSubstr("\nterm: 1\n"));
}

TEST_F(FileLockTest, CountsTheTermUpWithEveryLeader) {
    for (Term expected = 1; expected <= 3; ++expected) {
        FileLock next(folder.store());
        EXPECT_EQ(*next.campaign({}), expected);
    }
}

TEST_F(FileLockTest, TakesOverWithinASecondOfItsHoldersDeath) {
    Rival rival(folder.store());
    auto elected = campaign(lock);
    EXPECT_EQ(elected.wait_for(milliseconds(120)), std::future_status::timeout);
    EXPECT_THAT(lock.leader(), HasSubstr("process " + std::to_string(rival.pid()) + " on "));

    rival.kill();
    const auto died = steady_clock::now();
    const auto term = elected.get();
    EXPECT_LT(steady_clock::now() - died, milliseconds(900));
    ASSERT_TRUE(term) << term.error().text;
    EXPECT_EQ(*term, 2U);
}

TEST_F(FileLockTest, AnswersARequestToStopAtOnce) {
    const Rival rival(folder.store());
    auto elected = campaign(lock);
    EXPECT_EQ(elected.wait_for(milliseconds(10)), std::future_status::timeout);
    stop.request_stop();
    ASSERT_EQ(elected.wait_for(milliseconds(900)), std::future_status::ready);
    EXPECT_EQ(elected.get().error().code, ErrorCode::cancelled);
}

TEST_F(FileLockTest, IsFreeAgainAfterResigning) {
    ASSERT_TRUE(lock.campaign({}));
    FileLock next(folder.store());
    auto elected = campaign(next);
    EXPECT_THAT(next.leader(), HasSubstr("process " + std::to_string(::getpid())));
    lock.resign();
    EXPECT_EQ(*elected.get(), 2U);
    EXPECT_EQ(FileLock(folder.store()).leader().empty(), false);
}

// Also not in the moment in which the file names this process and its election is not over yet.
TEST_F(FileLockTest, NeverNamesItselfAsSomebodyElse) {
    std::atomic<bool> over = false;
    auto asked = std::async(std::launch::async, [&] {
        std::size_t named = 0;
        while (!over)
            named += lock.leader().empty() ? 0U : 1U;
        return named;
    });
    for (int i = 0; i < 200; ++i) {
        EXPECT_TRUE(lock.campaign({}));
        lock.resign();
    }
    over = true;
    EXPECT_EQ(asked.get(), 0U);
}

TEST_F(FileLockTest, NamesNobodyWhenNobodyLeads) {
    EXPECT_EQ(lock.leader(), "");
    { Rival rival(folder.store()); }
    EXPECT_EQ(lock.leader(), "");
    EXPECT_THAT(lockFile(), HasSubstr("pid: "));
}

TEST_F(FileLockTest, IsTheSameUnderAnotherNameOfTheStore) {
    writeContent(folder.store(), "");
    std::filesystem::create_symlink(folder.store(), folder / "link");
    ASSERT_TRUE(lock.campaign({}));
    FileLock linked(folder / "link");
    auto elected = campaign(linked);
    EXPECT_EQ(elected.wait_for(milliseconds(120)), std::future_status::timeout);
    lock.resign();
    EXPECT_TRUE(elected.get());
}

TEST_F(FileLockTest, SaysWhichFolderIsMissing) {
    FileLock lost(folder / "no/such/store");
    const auto term = lost.campaign({});
    ASSERT_FALSE(term);
    EXPECT_EQ(term.error().code, ErrorCode::notFound);
    EXPECT_THAT(term.error().text, HasSubstr("no/such/store.lock"));
}

TEST_F(FileLockTest, IsNotHandedToAProgramThatIsStarted) {
    ASSERT_TRUE(lock.campaign({}));
    const pid_t child = ::fork();
    if (child == 0) {
        ::execlp("sleep", "sleep", "60", nullptr);
        ::_exit(1);
    }
    FileLock next(folder.store());
    auto elected = campaign(next);
    lock.resign();
    EXPECT_EQ(elected.wait_for(milliseconds(5000)), std::future_status::ready);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_TRUE(elected.get());
}

TEST_F(FileLockTest, StartsAtTheFirstTermWhenTheTextIsGone) {
    writeContent(folder.store() + ".lock", "somebody edited this\nterm: many\n");
    EXPECT_EQ(*lock.campaign({}), 1U);
}

}  // namespace
}  // namespace crnpd::store
