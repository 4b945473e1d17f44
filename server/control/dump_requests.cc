// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/control/dump_requests.h"

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "common/crash_point.h"
#include "common/dump/dump_reader.h"
#include "common/dump/dump_writer.h"
#include "common/messages.h"
#include "common/version.h"
#include "server/control/json_line.h"

namespace crnpd::control {
namespace {

// Far more than ten million clients take; ends whoever sends for ever.
constexpr std::uint64_t mostBytes = std::uint64_t{16} << 30U;

void append(Snapshot& rows, Change&& row) {
    if (auto* const client = std::get_if<ClientRecord>(&row)) rows.clients.push_back(std::move(*client));
    if (auto* const removal = std::get_if<RemovalRecord>(&row)) rows.removals.push_back(std::move(*removal));
}

Result<Snapshot> readRows(const Peer& peer) {
    Snapshot rows;
    dump::Reader reader([&](Change&& row) { append(rows, std::move(row)); });
    std::uint64_t bytes = 0;
    while (!reader.isWhole()) {
        const auto line = peer.read();
        if (!line) break;
        bytes += line->size() + 1;
        if (bytes > mostBytes)
            return Error{ErrorCode::noSpace, fmt::format("the dump is longer than {} bytes", mostBytes)};
        if (auto taken = reader.take(*line); !taken) return taken.error();
    }
    if (auto whole = reader.finish(); !whole) return whole.error();
    return rows;
}

struct Counts {
    std::size_t clients = 0;
    std::size_t removals = 0;
};

Result<Counts> restore(Operations& operations, const Peer& peer) {
    auto rows = readRows(peer);
    if (!rows) return Error{rows.error().code, "nothing was changed: " + rows.error().text};
    crashPoint("restore_read");
    const Counts counts{rows->clients.size(), rows->removals.size()};
    const auto stillWorking = [&peer] { peer.write(line({{"working", true}})); };
    if (auto done = operations.restore(std::move(*rows), stillWorking); !done) return done.error();
    return counts;
}

}  // namespace

void sendDump(Operations& operations, const Peer& peer) {
    auto taken = operations.dump();
    if (!taken) {
        peer.write(line(refusal(taken.error())));
        return;
    }
    crashPoint("dump_taken");
    if (!peer.write(line({{"ok", true}}))) return;
    const auto written = dump::write(std::move(taken->rows), {std::string(version), taken->made}, peer.write);
    // Without its last line the peer knows that the dump is worth nothing.
    if (!written && written.error().code != ErrorCode::cancelled) log(msg::dumpFailed, written.error().text);
}

void takeDump(Operations& operations, const Peer& peer) {
    if (const auto may = operations.mayRestore(); !may) {
        peer.write(line(refusal(may.error())));
        return;
    }
    if (!peer.write(line({{"ok", true}}))) return;
    const auto restored = restore(operations, peer);
    if (!restored) {
        log(msg::restoreRefused, restored.error().text);
        peer.write(line(refusal(restored.error())));
        return;
    }
    crashPoint("restore_done");
    log(msg::restored, restored->clients, restored->removals);
    peer.write(line({{"ok", true}, {"clients", restored->clients}, {"removals", restored->removals}}));
}

}  // namespace crnpd::control
