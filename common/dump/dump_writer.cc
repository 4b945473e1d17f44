// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "common/dump/dump_writer.h"

#include <algorithm>

#include "common/crash_point.h"
#include "common/dump/dump_line.h"
#include "common/dump/seal.h"

namespace crnpd::dump {
namespace {

const Error nobodyReads{ErrorCode::cancelled, "nobody reads the dump any more"};

}  // namespace

Result<void> write(Snapshot rows, const Maker& maker, const WriteLine& write) {
    std::ranges::sort(rows.clients, {}, &ClientRecord::id);
    std::ranges::sort(rows.removals, {}, &RemovalRecord::id);
    Seal seal;
    const auto put = [&](const std::string& line) {
        seal.add(line);
        return write(line);
    };
    if (!put(headerLine({maker.time, maker.version, rows.head, rows.clients.size(), rows.removals.size()})))
        return nobodyReads;
    for (const auto& client : rows.clients) {
        crashPoint("dump_row");
        const auto line = clientLine(client);
        if (!line) return line.error();
        if (!put(*line)) return nobodyReads;
    }
    for (const auto& removal : rows.removals) {
        if (!put(removalLine(removal))) return nobodyReads;
    }
    if (!write(seal.line())) return nobodyReads;
    return {};
}

}  // namespace crnpd::dump
