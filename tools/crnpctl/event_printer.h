// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Events on the standard output, one after the other as they come.
//
// Threads    One thread; print() blocks for as long as the reader of the output does.
#pragma once

#include <iosfwd>
#include <string_view>

#include "common/clock.h"
#include "common/message.h"

namespace crnpd::crnpctl {

enum class EventForm {
    text,  // 2025-01-31T12:00:00.123Z CLASS/SUBCLASS VENDOR PUBLISHER name=value name=[v1, v2]
    xml,   // the document as it came, and a line feed unless it ends with one
    json,  // {"time":"...","class":"...","subclass":"...","vendor":"...","publisher":"...","pairs":[...]},
           // the pairs as common/dump/events_json.h has them
};

// A pair of one value and an array of one value are the same to the protocol and look alike in every form.
class EventPrinter {
public:
    EventPrinter(std::ostream& out, EventForm form) : out_(out), form_(form) {}

    // `document` is what `event` was read from, `time` when. Flushes. False: the output did not take it.
    [[nodiscard]] bool print(WallTime time, const Event& event, std::string_view document);

private:
    void printText(WallTime time, const Event& event);
    void printJson(WallTime time, const Event& event);

    std::ostream& out_;
    EventForm form_;
};

}  // namespace crnpd::crnpctl
