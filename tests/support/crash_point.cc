// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The crash points of crnpd_crashing. CRNPD_CRASH_AT=<name>:<n> in the environment has the process write the
// name to its standard error and kill itself when it comes by that place for the n-th time; without it
// nothing happens.
#include "common/crash_point.h"

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string>

#include <sys/socket.h>
#include <unistd.h>

namespace crnpd {
namespace {

struct Armed {
    std::string name;
    unsigned long pass = 0;
    std::atomic<unsigned long> seen = 0;

    Armed() {
        const char* const setting = std::getenv("CRNPD_CRASH_AT");
        if (setting == nullptr) return;
        const std::string_view text(setting);
        const auto colon = text.rfind(':');
        if (colon == std::string_view::npos) return;
        const auto number = text.substr(colon + 1);
        std::from_chars(number.data(), number.data() + number.size(), pass);
        name = text.substr(0, colon);
    }

    bool isTurn(std::string_view where) noexcept { return name == where && ++seen == pass; }
};

Armed& armed() noexcept {
    static Armed one;
    return one;
}

[[noreturn]] void die() noexcept {
    const std::string_view parts[] = {"crash point ", armed().name, "\n"};
    for (const auto part : parts) {
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, part.data(), part.size());
    }
    ::kill(::getpid(), SIGKILL);
    for (;;)
        ::pause();
}

}  // namespace

void crashPoint(std::string_view name) noexcept {
    if (armed().isTurn(name)) die();
}

// Where nothing can be sent yet there is no half: the next time counts as this one.
void crashPointHalf(std::string_view name, int socket, std::string_view bytes) noexcept {
    if (!armed().isTurn(name)) return;
    if (::send(socket, bytes.data(), bytes.size() / 2, MSG_NOSIGNAL) > 0) die();
    --armed().seen;
}

}  // namespace crnpd
