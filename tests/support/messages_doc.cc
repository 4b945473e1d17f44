// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Prints docs/messages.md from the table in common/messages.h. A test compares; after a change:
//
//     build/release/bin/messages_doc > docs/messages.md

#include <fmt/core.h>

#include "common/messages.h"

int main() {
    fmt::print(
        "# Messages\n\n"
        "Every line that crnpd logs carries one of these ids. An id outlives its wording and is never given "
        "to\n"
        "another message, so alarms and searches go by the id: `journalctl -u crnpd CRNPD_ID=CRNPD-CMT-002`, "
        "or\n"
        "`grep CRNPD-CMT-002` in a file. `{{}}` stands for what the line fills in. In the journal each of "
        "these parts is a\n"
        "field too (`CRNPD_CLIENT`, `CRNPD_CODE` …), in JSON a member (`client`, `code` …).\n\n"
        "The letters say where a message comes from: SRV the process, CFG configuration, ROL role, STO "
        "store, CMT\n"
        "commits, NET sockets, REG registrations, CTL control socket, DLV events to clients, LOG the log "
        "itself.\n");
    for (const auto& message : crnpd::msg::all()) {
        const auto level = spdlog::level::to_string_view(message.level);
        fmt::print("\n## {}\n\n`{}` ({})\n\n{}\n", message.id, message.text,
                   std::string_view(level.data(), level.size()), message.advice);
    }
}
