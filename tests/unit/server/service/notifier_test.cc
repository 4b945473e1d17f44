// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/service/notifier.h"

#include <array>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/unique_fd.h"

namespace crnpd::service {
namespace {

// A socket like systemd's, in the abstract namespace.
class NotifierTest : public testing::Test {
protected:
    NotifierTest() {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const auto name = "crnpd-notifier-test-" + std::to_string(::getpid());
        name.copy(static_cast<char*>(address.sun_path) + 1, name.size());
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
        EXPECT_EQ(::bind(socket.fd(), reinterpret_cast<sockaddr*>(&address), length), 0);
        ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
    }
    ~NotifierTest() override { ::unsetenv("NOTIFY_SOCKET"); }

    std::string received() {
        std::array<char, 512> buffer{};
        const auto length = ::recv(socket.fd(), buffer.data(), buffer.size(), 0);
        return {buffer.data(), static_cast<std::size_t>(length)};
    }

    UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    Notifier notifier;
};

TEST_F(NotifierTest, SpeaksAsSystemdExpects) {
    notifier.ready();
    EXPECT_EQ(received(), "READY=1");
    notifier.status("active: 2 clients");
    EXPECT_EQ(received(), "STATUS=active: 2 clients");
    notifier.reloading();
    EXPECT_TRUE(received().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    notifier.stopping();
    EXPECT_EQ(received(), "STOPPING=1");
    notifier.alive();
    EXPECT_EQ(received(), "WATCHDOG=1");
}

TEST_F(NotifierTest, TellsTheWatchdogTimeOnlyIfItIsOurs) {
    ::setenv("WATCHDOG_USEC", "30000000", 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    EXPECT_EQ(Notifier::watchdogTime(), std::chrono::seconds{30});
    ::setenv("WATCHDOG_PID", "1", 1);
    EXPECT_EQ(Notifier::watchdogTime(), std::nullopt);
    ::unsetenv("WATCHDOG_USEC");
    ::unsetenv("WATCHDOG_PID");
}

}  // namespace
}  // namespace crnpd::service
