// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/control_server.h"

#include <array>
#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/dump/dump_writer.h"
#include "common/xml/event_writer.h"
#include "common/xml/reply.h"
#include "tests/support/log_lines.h"
#include "tests/support/scarcity.h"
#include "tests/unit/server/control/scripted_operations.h"

namespace crnpd::control {
namespace {

class ControlServerTest : public testing::Test {
protected:
    ControlServerTest() {
        std::string name = (std::filesystem::temp_directory_path() / "crnpd-ctl-XXXXXX").string();
        folder = ::mkdtemp(name.data());
        path = folder / "control.sock";
    }
    ~ControlServerTest() override {
        server.stop();
        std::filesystem::remove_all(folder);
    }

    [[nodiscard]] sockaddr_un name() const {
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        path.string().copy(static_cast<char*>(name.sun_path), sizeof name.sun_path - 1);
        return name;
    }
    static UniqueFd unixSocket(int flags = 0) {
        return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
    }
    [[nodiscard]] bool connect(const UniqueFd& fd) const {
        const auto peer = name();
        return ::connect(fd.fd(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer) == 0;
    }
    UniqueFd connect() {
        auto fd = unixSocket();
        return connect(fd) ? std::move(fd) : UniqueFd{};
    }
    [[nodiscard]] UniqueFd bound() const {
        auto fd = unixSocket();
        const auto own = name();
        EXPECT_EQ(::bind(fd.fd(), reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
        return fd;
    }
    static std::string readAll(const UniqueFd& fd) {
        std::string all;
        std::array<char, 4096> buffer{};
        for (ssize_t length = 0; (length = ::recv(fd.fd(), buffer.data(), buffer.size(), 0)) > 0;) {
            all.append(buffer.data(), static_cast<std::size_t>(length));
        }
        return all;
    }
    static std::string ask(const UniqueFd& fd, const std::string& request) {
        EXPECT_EQ(::send(fd.fd(), request.data(), request.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(request.size()));
        return readAll(fd);
    }
    std::string ask(const std::string& request) { return ask(connect(), request); }

    Reply publish(const std::string& document) {
        const auto reply = xml::readReply(ask(document));
        EXPECT_TRUE(reply) << document;
        return reply ? *reply : Reply{};
    }

    const Event event{"C", "S", "", "rgm", {{"n", {"v"}}}};
    static constexpr auto statusRequest = "{\"request\":\"status\"}\n";

    support::LogLines lines;
    std::filesystem::path folder, path;
    ScriptedOperations operations;
    const xml::Runtime runtime;
    ControlServer server{operations, runtime};
};

TEST_F(ControlServerTest, AnswersOneRequestAConnection) {
    ASSERT_TRUE(server.start(path, 0660));
    EXPECT_TRUE(ask("{\"request\":\"status\"}\n").starts_with("{\"ok\":true"));
    EXPECT_TRUE(ask("nonsense\n").starts_with("{\"ok\":false"));
}

TEST_F(ControlServerTest, TheSocketFileHasTheModeAndGoesWithTheServer) {
    ASSERT_TRUE(server.start(path, 0640));
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0640U);
    server.stop();
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ControlServerTest, ASocketThatAKilledServerLeftIsReplaced) {
    bound().reset();
    ASSERT_TRUE(server.start(path, 0660));
    EXPECT_TRUE(ask("{\"request\":\"status\"}\n").starts_with("{\"ok\":true"));
}

TEST_F(ControlServerTest, AFileThatIsNoSocketIsLeftAlone) {
    std::ofstream(path) << "precious";
    EXPECT_FALSE(server.start(path, 0660));
    EXPECT_EQ(std::filesystem::file_size(path), 8U);
}

TEST_F(ControlServerTest, ASocketOfALivingServerIsLeftAlone) {
    ASSERT_TRUE(server.start(path, 0660));
    ControlServer second(operations, runtime);
    const auto started = second.start(path, 0660);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, ErrorCode::busy);
    second.stop();
    EXPECT_FALSE(ask("{\"request\":\"status\"}\n").empty());
}

TEST_F(ControlServerTest, AServerThatHasNoTimeForMoreConnectionsIsAliveAsWell) {
    const auto busy = bound();
    ASSERT_EQ(::listen(busy.fd(), 0), 0);
    std::vector<UniqueFd> waiting;
    do {
        waiting.push_back(unixSocket(SOCK_NONBLOCK));
    } while (connect(waiting.back()));
    const auto started = server.start(path, 0660);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, ErrorCode::busy);
}

TEST_F(ControlServerTest, WithoutDescriptorsItDoesNotStartAndLeavesNothingBehind) {
    bool started = false;
    for (unsigned left = 0; !started; ++left) {
        const support::FewDescriptors few(left);
        started = static_cast<bool>(server.start(path, 0660));
        EXPECT_EQ(std::filesystem::exists(path), started) << left;
        EXPECT_EQ(server.isRunning(), started);
    }
    EXPECT_TRUE(ask(statusRequest).starts_with("{\"ok\":true"));
}

TEST_F(ControlServerTest, WithoutAThreadItDoesNotStartAndLeavesNothingBehind) {
    {
        const support::NoThreads none;
        const auto started = server.start(path, 0660);
        ASSERT_FALSE(started);
        EXPECT_EQ(started.error().code, ErrorCode::io);
    }
    EXPECT_FALSE(std::filesystem::exists(path));
    EXPECT_TRUE(server.start(path, 0660));
    EXPECT_TRUE(ask(statusRequest).starts_with("{\"ok\":true"));
}

TEST_F(ControlServerTest, AConversationWithoutAThreadIsClosedAndTheNextOneIsAnswered) {
    ASSERT_TRUE(server.start(path, 0660));
    {
        const support::NoThreads none;
        EXPECT_EQ(readAll(connect()), "");
    }
    lines.waitFor("CRNPD-CTL-005");
    EXPECT_TRUE(ask(statusRequest).starts_with("{\"ok\":true"));
}

TEST_F(ControlServerTest, OutOfDescriptorsItPausesAndGoesOn) {
    ASSERT_TRUE(server.start(path, 0660));
    // The undefined-behaviour sanitizer needs a descriptor for its first look at an object of each kind.
    spdlog::info("first");
    lines.waitFor("first");

    const auto waiting = unixSocket();
    const auto peer = name();
    const auto begin = std::chrono::steady_clock::now();
    {
        const support::FewDescriptors none(0);
        ASSERT_EQ(::connect(waiting.fd(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer), 0);
        lines.waitFor("CRNPD-CTL-004", 2);
    }
    EXPECT_GE(std::chrono::steady_clock::now() - begin, ControlServer::pauseTime);
    EXPECT_TRUE(ask(waiting, statusRequest).starts_with("{\"ok\":true"));
}

TEST_F(ControlServerTest, SilentPeersNeitherKeepOthersNorTheStopWaiting) {
    ASSERT_TRUE(server.start(path, 0660));
    std::vector<UniqueFd> silent;
    for (std::size_t i = 0; i + 1 < ControlServer::mostConversations; ++i)
        silent.push_back(connect());
    EXPECT_FALSE(ask("{\"request\":\"status\"}\n").empty());
    server.stop();
    for (const auto& fd : silent)
        EXPECT_EQ(readAll(fd), "");
}

// Twenty times, because whoever is looked for now and then is found at once by chance.
TEST_F(ControlServerTest, WhoeverWaitsGetsThePlaceOfWhomeverIsDone) {
    ASSERT_TRUE(server.start(path, 0660));
    std::deque<UniqueFd> silent;
    while (silent.size() < ControlServer::mostConversations)
        silent.push_back(connect());
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < 20; ++i) {
        const auto waiting = connect();
        silent.pop_front();
        EXPECT_FALSE(ask(waiting, statusRequest).empty());
        silent.push_back(connect());
    }
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
}

TEST_F(ControlServerTest, ARequestWithoutEndIsDropped) {
    ASSERT_TRUE(server.start(path, 0660));
    EXPECT_EQ(ask(std::string(ControlServer::longestRequest + 1, 'x')), "");
}

TEST_F(ControlServerTest, ADumpFollowsItsRequest) {
    ASSERT_TRUE(server.start(path, 0660));
    std::string request = "{\"request\":\"restore\"}\n";
    Snapshot rows;
    for (RecordId id = 1; id <= 5000; ++id) {
        rows.clients.push_back(
            {id, {IpAddress::parse("192.0.2.1").value(), static_cast<std::uint16_t>(id)}, "0:"});
    }
    // Longer than any request may be.
    rows.clients[0].registrations = "1:200000:" + std::string(200'000, 'x') + "-0:";
    ASSERT_TRUE(dump::write(rows, {"1", {}}, [&](const std::string& line) {
        request += line + '\n';
        return true;
    }));
    EXPECT_TRUE(ask(request).ends_with("{\"ok\":true,\"clients\":5000,\"removals\":0}\n"));
    ASSERT_TRUE(operations.restored);
    EXPECT_EQ(operations.restored->clients, rows.clients);
}

TEST_F(ControlServerTest, ADocumentIsPublishedAndAnsweredWithADocument) {
    ASSERT_TRUE(server.start(path, 0660));
    EXPECT_EQ(publish(xml::writeEvent(event)), (Reply{StatusCode::ok, "event 17 published"}));
    EXPECT_EQ(operations.published, std::vector{event});
    EXPECT_EQ(publish("<SC_EVENT></SC_REPLY>").code, StatusCode::malformed);
}

TEST_F(ControlServerTest, WhiteSpaceMayStandBeforeADocumentAndBeforeARequest) {
    ASSERT_TRUE(server.start(path, 0660));
    EXPECT_EQ(publish("\n \t<SC_EVENT CLASS='C' SUBCLASS='S' VENDOR='' PUBLISHER=''/>").code, StatusCode::ok);
    EXPECT_TRUE(ask("  {\"request\":\"status\"}\n").starts_with("{\"ok\":true"));
}

TEST_F(ControlServerTest, ADocumentMayComeByteByByteAndIsAnsweredWithoutAHalfClose) {
    ASSERT_TRUE(server.start(path, 0660));
    const auto fd = connect();
    for (const char byte : xml::writeEvent(event))
        ASSERT_EQ(::send(fd.fd(), &byte, 1, MSG_NOSIGNAL), 1);
    EXPECT_EQ(xml::readReply(readAll(fd)).value().code, StatusCode::ok);
    EXPECT_EQ(operations.published.size(), 1U);
}

TEST_F(ControlServerTest, TheReplyReachesAPeerThatIsStillSending) {
    ASSERT_TRUE(server.start(path, 0660));
    const auto fd = connect();
    const auto sent = xml::writeEvent(event) + std::string(longestDocument, ' ');
    EXPECT_EQ(xml::readReply(ask(fd, sent)).value().code, StatusCode::ok);
    std::array<char, 1> byte{};
    EXPECT_EQ(::recv(fd.fd(), byte.data(), byte.size(), 0), 0) << "a FIN, no reset";
}

TEST_F(ControlServerTest, WhereNobodyKnowsThereIsNoReply) {
    ASSERT_TRUE(server.start(path, 0660));
    operations.number = Error{ErrorCode::superseded, "another server leads"};
    EXPECT_EQ(ask(xml::writeEvent(event)), "");
}

}  // namespace
}  // namespace crnpd::control
