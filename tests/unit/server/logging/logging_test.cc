// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/logging/logging.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/messages.h"
#include "common/unique_fd.h"
#include "server/logging/log_target.h"
#include "tests/support/manual_clock.h"

namespace crnpd::logging {
namespace {

class LoggingTest : public testing::Test {
protected:
    LoggingTest() {
        std::string name = (std::filesystem::temp_directory_path() / "crnpd-log-XXXXXX").string();
        folder = ::mkdtemp(name.data());
    }
    ~LoggingTest() override { std::filesystem::remove_all(folder); }

    [[nodiscard]] Options to(const std::string& file) const {
        Options options;
        options.target = Target::file;
        options.file = folder / file;
        return options;
    }
    [[nodiscard]] std::size_t linesIn(const std::string& file) const {
        std::ifstream stream(folder / file);
        std::size_t lines = 0;
        for (std::string line; std::getline(stream, line);)
            ++lines;
        return lines;
    }

    support::ManualClock clock;
    std::filesystem::path folder;
};

TEST_F(LoggingTest, WritesWhatIsQueuedBeforeItEnds) {
    {
        const Logging logging(clock, to("a.log"));
        for (int i = 0; i < 100; ++i)
            log(msg::stopping, "SIGTERM");
    }
    EXPECT_EQ(linesIn("a.log"), 100U);
}

TEST_F(LoggingTest, OpensTheFileAnewAfterItWasMovedAway) {
    {
        Logging logging(clock, to("a.log"));
        log(msg::stopping, "one");
        std::filesystem::rename(folder / "a.log", folder / "a.log.1");
        logging.apply(to("a.log"));
        log(msg::stopping, "two");
    }
    EXPECT_EQ(linesIn("a.log") + linesIn("a.log.1"), 2U);
    EXPECT_GE(linesIn("a.log"), 1U);
}

TEST_F(LoggingTest, StaysWithTheOldFileWhenTheNewOneCannotBeOpened) {
    {
        Logging logging(clock, to("a.log"));
        logging.apply(to("no/such/folder.log"));
        log(msg::stopping, "still here");
    }
    EXPECT_EQ(linesIn("a.log"), 2U) << "the line itself, and that the file could not be opened";
}

TEST_F(LoggingTest, AFileThatCannotBeOpenedStopsTheStart) {
    EXPECT_THROW(Logging(clock, to("no/such/folder.log")), std::runtime_error);
}

TEST_F(LoggingTest, AFloodEndsAsOneLine) {
    {
        Logging logging(clock, to("a.log"));
        for (unsigned i = 0; i < 5000; ++i)
            log(msg::stopping, "again");
        logging.sumUp();
    }
    EXPECT_EQ(linesIn("a.log"), 201U);
}

// A target whose write() hangs until it is let go.
class Hanging final : public LogTarget {
public:
    struct Control {
        std::promise<void> reached, release;
        std::shared_future<void> released = release.get_future().share();
        std::promise<void> gone;
        std::atomic<bool> first{true};
    };
    explicit Hanging(Control& control) : control_(control) {}
    ~Hanging() override { control_.gone.set_value(); }
    bool write(const spdlog::details::log_msg&) override {
        if (control_.first.exchange(false)) control_.reached.set_value();
        control_.released.wait();
        return true;
    }

private:
    Control& control_;
};

class HangingTest : public LoggingTest {
protected:
    // Nothing of it may be left running.
    ~HangingTest() override {
        release();
        control.gone.get_future().wait();
    }
    void release() {
        if (!std::exchange(released, true)) control.release.set_value();
    }
    // The first target hangs, later ones are what the options say.
    [[nodiscard]] OpenTarget hangingFirst() {
        return [this, first = true](const Options& options) mutable -> Result<std::shared_ptr<LogTarget>> {
            if (!std::exchange(first, false)) return openTarget(options);
            return std::shared_ptr<LogTarget>(std::make_shared<Hanging>(control));
        };
    }
    void hang() {
        log(msg::stopping, "hangs");
        control.reached.get_future().wait();
    }

    Hanging::Control control;
    bool released = false;
};

TEST_F(HangingTest, ATargetThatHangsKeepsNobodyFromTheNextOne) {
    {
        Logging logging(clock, to("a.log"), hangingFirst());
        hang();
        logging.apply(to("a.log"));  // returns
        release();
        log(msg::stopping, "next");
    }
    EXPECT_EQ(linesIn("a.log"), 1U);
}

TEST_F(HangingTest, ALastLineThatHangsDoesNotHoldUpTheEnd) {
    const Logging logging(clock, to("a.log"), hangingFirst());
    hang();
}  // returns

class JournalTest : public LoggingTest {
protected:
    JournalTest() {
        options.target = Target::journal;
        options.journal = folder / "journal";
        listen();
    }
    void listen() {
        std::filesystem::remove(options.journal);
        journal = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        options.journal.string().copy(static_cast<char*>(name.sun_path), sizeof name.sun_path - 1);
        ASSERT_EQ(::bind(journal.fd(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    }
    [[nodiscard]] std::string entry() const {
        std::string bytes(65536, 0);
        bytes.resize(static_cast<std::size_t>(::recv(journal.fd(), bytes.data(), bytes.size(), 0)));
        return bytes;
    }

    Options options;
    UniqueFd journal;
};

TEST_F(JournalTest, GetsAnEntryOfFields) {
    const Logging logging(clock, options);
    log(msg::stopping, "SIGTERM");
    const auto text = entry();
    EXPECT_NE(text.find("MESSAGE=CRNPD-SRV-002 stopping: SIGTERM; "), std::string::npos) << text;
    EXPECT_NE(text.find("\nPRIORITY=6\n"), std::string::npos) << text;
    EXPECT_TRUE(text.ends_with("\nCRNPD_REASON=SIGTERM\n")) << text;
}

TEST_F(JournalTest, ALineFeedInAValueStaysInItsField) {
    const Logging logging(clock, options);
    spdlog::info("a\nb");
    EXPECT_TRUE(entry().starts_with(std::string("MESSAGE\n\3\0\0\0\0\0\0\0a\nb\nPRIORITY=6\n", 31)));
}

TEST_F(JournalTest, AJournalThatWasStartedAnewGetsTheNextLine) {
    const Logging logging(clock, options);
    listen();
    log(msg::stopping, "again");
    EXPECT_NE(entry().find("again"), std::string::npos);
}

TEST_F(JournalTest, AJournalThatTakesNothingHoldsUpNeitherAReloadNorTheEnd) {
    {
        Logging logging(clock, options);
        for (unsigned i = 0; i < 2000; ++i)  // far more than the kernel keeps for a reader that sleeps
            spdlog::info("{}", i);
        logging.apply(to("a.log"));
        log(msg::stopping, "in the file");
    }
    EXPECT_GE(linesIn("a.log"), 1U);
}

TEST_F(LoggingTest, ANamedPipeWithoutAReaderCannotBeOpened) {
    ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    EXPECT_THROW(Logging(clock, to("pipe")), std::runtime_error);
}

}  // namespace
}  // namespace crnpd::logging
