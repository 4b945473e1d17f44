// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Everything a store holds as the lines of a dump (docs/store-format.md, "Dumps").
//
// Threads    A free function without state.
#pragma once

#include <functional>
#include <string>

#include "common/record.h"
#include "common/result.h"

namespace crnpd::dump {

// Who makes a dump, and when.
struct Maker {
    std::string version;
    WallTime time{};
};

// Takes one line without its line feed. False: nobody reads any more.
using WriteLine = std::function<bool(const std::string& line)>;

// Orders the rows by their ids, so that two dumps can be compared. cancelled: `write` said so. damaged: a row
// cannot be written; then the last line is missing.
[[nodiscard]] Result<void> write(Snapshot rows, const Maker& maker, const WriteLine& write);

}  // namespace crnpd::dump
