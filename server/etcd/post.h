// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// An event that a standby has written for the active server, under <prefix>/posted/<id>:
//
//     posted EVENT       nobody has seen it; whoever posted it may take it back
//     taken EVENT        the active server is at it; it alone changes it from here on
//     answered NUMBER    put by the commit that has the event
//     refused            nothing was published, nor will be
//
// Threads    Free functions and values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/record.h"

namespace crnpd::etcd {

struct Post {
    enum class State { posted, taken, answered, refused };

    State state = State::posted;
    std::string event;      // posted, taken: as encodeEvent() writes it
    Sequence sequence = 0;  // answered
};

[[nodiscard]] std::string encodePosted(std::string_view event);
[[nodiscard]] std::string encodeTaken(std::string_view event);
[[nodiscard]] std::string encodeAnswer(Sequence sequence);
[[nodiscard]] std::string encodeRefused();
// Nothing: none of these. Whether the event is one is not looked at.
[[nodiscard]] std::optional<Post> decodePost(std::string_view text);

}  // namespace crnpd::etcd
