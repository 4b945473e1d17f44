// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The lines of a dump but the last, as JSON texts and as values.
//
// Threads    Free functions without state.
// Errors     damaged: the line cannot be one of ours. foreign: of a newer format. The texts do not name the
//            line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/record.h"
#include "common/result.h"

namespace crnpd::dump {

// The newest format, which is the one that is written.
inline constexpr std::uint64_t format = 1;

struct Header {
    WallTime made{};
    std::string server;  // the version of the crnpd that made it
    BatchId revision = 0;
    std::size_t clients = 0;
    std::size_t removals = 0;

    friend bool operator==(const Header&, const Header&) = default;
};

[[nodiscard]] std::string headerLine(const Header& header);
[[nodiscard]] Result<Header> readHeader(std::string_view line);

// damaged: the record, or a text in it, is.
[[nodiscard]] Result<std::string> clientLine(const ClientRecord& client);
[[nodiscard]] std::string removalLine(const RemovalRecord& removal);
// A ClientRecord or a RemovalRecord.
[[nodiscard]] Result<Change> readRow(std::string_view line);

}  // namespace crnpd::dump
