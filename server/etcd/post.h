// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// An event that a standby has written for the active server, under <prefix>/posted/<id>:
//
//     posted EVENT       nobody has seen it; whoever posted it may take it back
//     taken EVENT        the active server is at it; it alone changes it from here on
//     answered NUMBER    put by the commit that has the event
//     refused            nothing was published, nor will be
//
// Who makes what of it. A leader's changes hold only while it leads, all but the commit's only if the row is
// still as it was when the leader last looked:
//
//     row        | its poster                | the leader                    | the next leader
//     -----------+---------------------------+-------------------------------+----------------------------
//     none       | puts `posted`, once       | -                             | -
//     posted     | deletes it: busy          | puts `taken`, then publishes  | as the leader
//     taken      | waits                     | commits with `answered`;      | puts `taken` anew, then
//                |                           | puts `refused`                | publishes
//     answered   | its number; deletes it    | deletes it some time later    | as the leader
//     refused    | busy; deletes it          | deletes it some time later    | as the leader
//
// What the poster is told, whatever comes in which order:
//
//     It takes back, a leader takes          One of the two changes the row first and the other's condition
//                                            fails. Taken: it waits for the answer, and says that nobody
//                                            knows once its patience is over.
//     Its put, or its taking back, was       It was or will be carried out at any time: nobody knows, unless
//     not answered                           the row shows up and is settled.
//     The leader's mark was not answered     Nothing is handed over; the row is looked at and marked anew.
//     The commit's outcome is unknown        Nothing is refused. The next leader loads first, so the row is
//                                            either `answered` or never will be by that commit: then it is
//                                            published again, once.
//     Leadership ends before the commit      Nothing is refused, for the next leader takes and publishes it.
//     Leadership ends before a refusal was   The refusal never gets there and nobody was told of it: the next
//     carried out                            leader publishes.
//     A refusal was carried out, not         It is repeated. If its poster has deleted the row by then, or
//     answered                               the next leader leads, the repetition changes nothing.
//     The poster has died                    It is published all the same; the answer is cleared away.
//
// So "busy" is said only by whoever has deleted `posted` himself or has read `refused`, and after either no
// row is left that anybody could publish from. This rests on a transaction being carried out once at most
// (key_value.h): a put that came a second time would be a new post.
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

    // Nobody publishes from it any more.
    [[nodiscard]] bool isSettled() const noexcept {
        return state == State::answered || state == State::refused;
    }
};

[[nodiscard]] std::string encodePosted(std::string_view event);
[[nodiscard]] std::string encodeTaken(std::string_view event);
[[nodiscard]] std::string encodeAnswer(Sequence sequence);
[[nodiscard]] std::string encodeRefused();
// Nothing: none of these. Whether the event is one is not looked at.
[[nodiscard]] std::optional<Post> decodePost(std::string_view text);

}  // namespace crnpd::etcd
