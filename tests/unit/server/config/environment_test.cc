// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include <cstring>
#include <fstream>
#include <functional>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/unique_fd.h"
#include "loading.h"

namespace crnpd::config {
namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

class EnvironmentTest : public testing::Test {
protected:
    EnvironmentTest() : folder_(testing::TempDir() + "crnpd-env-XXXXXX") {
        EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
    }
    ~EnvironmentTest() override { fs::remove_all(folder_); }

    // A file whose settings are all in order, with these in their places.
    [[nodiscard]] Lines problemsWith(const std::string& store, const std::string& socket,
                                     const std::string& log) const {
        const auto text = "[store]\npath = '" + store + "'\n[control]\nsocket = '" + socket +
                          "'\n[log]\ntarget = '" + log + "'\n";
        const auto loaded = loadSettingsFromText(text, "crnpd.toml");
        EXPECT_EQ(problemsOf(loaded), Lines{});
        Lines lines;
        for (const auto& problem : checkEnvironment(loaded.settings(), loaded.origin()))
            lines.push_back(problem.line());
        return lines;
    }
    [[nodiscard]] Lines problemsWithStore(const std::string& path) const {
        return problemsWith(path, in("control.sock"), "stderr");
    }
    [[nodiscard]] Lines problemsWithSocket(const std::string& path) const {
        return problemsWith(in("r.db"), path, "stderr");
    }
    [[nodiscard]] Lines problemsWithLog(const std::string& path) const {
        return problemsWith(in("r.db"), in("control.sock"), path);
    }

    // Root may write nearly everywhere: what holds for others is tried as nobody.
    static Lines asOrdinaryUser(const std::function<Lines()>& look) {
        constexpr uid_t nobody = 65534;
        if (::geteuid() != 0) return look();
        EXPECT_EQ(::seteuid(nobody), 0);
        auto lines = look();
        EXPECT_EQ(::seteuid(0), 0);
        return lines;
    }

    [[nodiscard]] std::string in(const std::string& name) const { return folder_ + '/' + name; }
    void writeFile(const std::string& name) const { std::ofstream(in(name)) << "x"; }

private:
    std::string folder_;
};

TEST_F(EnvironmentTest, FoldersThatExistAreEnough) {
    EXPECT_EQ(problemsWith(in("r.db"), in("control.sock"), in("crnpd.log")), Lines{});
}

TEST_F(EnvironmentTest, APathWithoutAFolderIsInTheWorkingDirectory) {
    EXPECT_EQ(problemsWithStore("r.db"), Lines{});
}

TEST_F(EnvironmentTest, EveryMissingFolderIsToldWithTheLineOfItsSetting) {
    EXPECT_EQ(
        problemsWith(in("no/r.db"), in("nor/c.sock"), in("never/crnpd.log")),
        (Lines{
            "crnpd.toml:2: store.path: the folder \"" + in("no") + "\" does not exist; create it first",
            "crnpd.toml:4: control.socket: the folder \"" + in("nor") + "\" does not exist; create it first",
            "crnpd.toml:6: log.target: the folder \"" + in("never") + "\" does not exist; create it first"}));
}

TEST_F(EnvironmentTest, ADefaultThatDoesNotFitIsToldWithoutALine) {
    auto settings = defaultSettings();
    settings.store.path = in("no/r.db");
    settings.control.socket = in("control.sock");
    const auto problems = checkEnvironment(settings, Origin("crnpd.toml"));
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(problems[0].where, "crnpd.toml");
}

TEST_F(EnvironmentTest, AFileIsNoFolder) {
    writeFile("file");
    EXPECT_EQ(problemsWithStore(in("file/r.db")),
              Lines{"crnpd.toml:2: store.path: \"" + in("file") +
                    "\" is not a folder; allowed: a path in a folder that exists"});
}

TEST_F(EnvironmentTest, AFolderThatEverybodyMayWriteToHoldsNoStore) {
    ASSERT_EQ(::chmod(in("").c_str(), 0777), 0);
    const auto problems = problemsWithStore(in("r.db"));
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_TRUE(problems[0].starts_with("crnpd.toml:2: store.path: everybody may write to the folder"))
        << problems[0];

    ASSERT_EQ(::chmod(in("").c_str(), 01777), 0);
    EXPECT_EQ(problemsWithStore(in("r.db")), Lines{});
}

TEST_F(EnvironmentTest, AStoreIsAFile) {
    ASSERT_TRUE(fs::create_directory(in("r.db")));
    EXPECT_EQ(problemsWithStore(in("r.db")),
              Lines{"crnpd.toml:2: store.path: \"" + in("r.db") +
                    "\" exists and is not a file; allowed: a file or a path where nothing is yet"});
}

TEST_F(EnvironmentTest, AStoreThatExistsIsFine) {
    writeFile("r.db");
    EXPECT_EQ(problemsWithStore(in("r.db")), Lines{});
}

TEST_F(EnvironmentTest, AStoresFolderMustBeWritableForTheServersUser) {
    ASSERT_EQ(::chmod(in("").c_str(), 0555), 0);
    const auto problems = asOrdinaryUser([this] { return problemsWithStore(in("r.db")); });
    ASSERT_EQ(::chmod(in("").c_str(), 0700), 0);
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_TRUE(problems[0].starts_with("crnpd.toml:2: store.path: cannot write to \"")) << problems[0];
    EXPECT_TRUE(
        problems[0].ends_with("\": Permission denied; allowed: a path that the server's user may write to"))
        << problems[0];
}

TEST_F(EnvironmentTest, AStoreThatExistsMustBeWritableForTheServersUser) {
    writeFile("r.db");
    ASSERT_EQ(::chmod(in("r.db").c_str(), 0444), 0);
    ASSERT_EQ(::chmod(in("").c_str(), 01777), 0);
    const auto problems = asOrdinaryUser([this] { return problemsWithStore(in("r.db")); });
    EXPECT_EQ(problems, Lines{"crnpd.toml:2: store.path: cannot write to \"" + in("r.db") +
                              "\": Permission denied; allowed: a path that the server's user may write to"});
}

TEST_F(EnvironmentTest, AFileInPlaceOfTheControlSocketIsNotReplaced) {
    writeFile("precious");
    EXPECT_EQ(problemsWithSocket(in("precious")),
              Lines{"crnpd.toml:4: control.socket: \"" + in("precious") +
                    "\" exists and is not a socket; allowed: a socket or a path where nothing is yet"});
}

TEST_F(EnvironmentTest, ASocketLeftBehindIsFine) {
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = in("s");
    ASSERT_LT(path.size(), sizeof(address.sun_path));
    std::memcpy(address.sun_path, path.c_str(), path.size());
    ASSERT_EQ(::bind(fd.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);

    EXPECT_EQ(problemsWithSocket(path), Lines{});
}

TEST_F(EnvironmentTest, AFolderIsNoLogFile) {
    ASSERT_TRUE(fs::create_directory(in("log")));
    EXPECT_EQ(problemsWithLog(in("log")),
              Lines{"crnpd.toml:6: log.target: \"" + in("log") + "\" is a folder; allowed: a file's path"});
}

// Root may write to everything; /proc is where even root may not.
TEST_F(EnvironmentTest, ALogFileMustBeWritable) {
    ASSERT_EQ(::chmod(in("").c_str(), 0500), 0);
    const auto path = ::geteuid() == 0 ? std::string("/proc/self/crnpd.log") : in("crnpd.log");
    const auto problems = problemsWithLog(path);
    ASSERT_EQ(problems.size(), 1U) << path;
    EXPECT_TRUE(problems[0].starts_with("crnpd.toml:6: log.target: cannot write to \"")) << problems[0];
    ASSERT_EQ(::chmod(in("").c_str(), 0700), 0);
}

TEST_F(EnvironmentTest, LookingChangesNothing) {
    EXPECT_EQ(problemsWith(in("r.db"), in("control.sock"), in("crnpd.log")), Lines{});
    EXPECT_TRUE(fs::is_empty(in("")));
}

}  // namespace
}  // namespace crnpd::config
