// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/logging/logging.h"

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "common/messages.h"
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

}  // namespace
}  // namespace crnpd::logging
