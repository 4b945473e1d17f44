// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/await.h"

#include <array>
#include <cerrno>

#include <poll.h>

namespace crnpd::crnpctl {

Awaited await(int fd, short events, const Deadline& deadline, const Meanwhile& meanwhile) {
    std::array<pollfd, 3> entries{
        {{fd, events, 0}, {meanwhile.stop, POLLIN, 0}, {meanwhile.callers, POLLIN, 0}}};
    auto& [own, stop, callers] = entries;
    for (;;) {
        const int ready = ::poll(entries.data(), entries.size(), deadline.forPoll());
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return {};
        if (own.revents != 0) return {own.revents, false};
        if (stop.revents != 0) return {0, true};
        // poll() does not look at a negative descriptor.
        if (!meanwhile.onCallers || !meanwhile.onCallers()) callers.fd = -1;
    }
}

}  // namespace crnpd::crnpctl
