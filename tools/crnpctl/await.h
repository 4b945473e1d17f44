// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Waiting for a descriptor without being deaf to whoever else may speak up meanwhile.
//
// Threads    Free functions without state. They block for at most the time limit.
#pragma once

#include <functional>

#include "tools/crnpctl/deadline.h"

namespace crnpd::crnpctl {

// Descriptors of others; -1 where there is none.
struct Meanwhile {
    int stop = -1;                    // readable: the wait ends at once; nothing is read from it
    int callers = -1;                 // readable: `onCallers` is called and the wait goes on,
    std::function<bool()> onCallers;  // without them if it returns false
};

struct Awaited {
    short ready = 0;  // as poll() tells it; 0 when the time is over or `stopped`
    bool stopped = false;
};

// Waits until one of `events` (or an error) is there. -1 waits for nothing but the end of the time. What
// `fd` brings has precedence: a reply that is there counts, even if we were told to stop in the same moment.
[[nodiscard]] Awaited await(int fd, short events, const Deadline& deadline, const Meanwhile& meanwhile = {});

}  // namespace crnpd::crnpctl
