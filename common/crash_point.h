// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Named places at which a test ends the process, as a crash or the loss of the machine's power would.
//
// Promise    In crnpd nothing happens at them: it links an empty definition. One program of the tests,
//            crnpd_crashing, links the same libraries and tests/support/crash_point.cc, which kills the
//            process at a chosen place.
// Names      A literal, in one place of the sources only; tests/system/crash_points.py lists all of them,
//            and a test compares. A name says what has just happened or is about to.
// Cost       An empty call, 3 ns on a busy machine; a message comes by about 20 of them in its 50,000 ns.
// Threads    Any.
#pragma once

#include <string_view>

namespace crnpd {

void crashPoint(std::string_view name) noexcept;

// Just before `bytes` are sent to the socket: who dies here has sent the first half of them.
void crashPointHalf(std::string_view name, int socket, std::string_view bytes) noexcept;

}  // namespace crnpd
