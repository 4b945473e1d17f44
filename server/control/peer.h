// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Whom a request of the control socket came from.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace crnpd::control {

// Called for each line of the answer, without its line feed. False: nobody listens any more.
using WriteLine = std::function<bool(const std::string& line)>;

// The next line that the peer sends, without its line feed. Nothing where there is none, it did not come in
// time, or it is too long.
using ReadLine = std::function<std::optional<std::string>()>;

struct Peer {
    WriteLine write;
    ReadLine read;
};

}  // namespace crnpd::control
