// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The exit status of crnpctl: a script tells by it what became of a message. The numbers are a contract; the
// help text shows them.
#pragma once

#include <string>

#include "common/message.h"

namespace crnpd::crnpctl {

enum class ExitStatus {
    ok = 0,
    failed = 1,    // no reply, no connection, or the control socket's refusal
    usage = 2,     // the command line, or the file to send or restore
    notFound = 3,  // the control socket: there is no such client
    retry = 4,
    lowResource = 5,
    systemError = 6,
    fail = 7,
    malformed = 8,
    invalid = 9,
    versionTooHigh = 10,
    versionTooLow = 11,
    unknownReply = 12,  // an answer that is no SC_REPLY or has an unknown STATUS_CODE
    standby = 13,       // the server that was asked for its role stands by
    changing = 14,      // it is on its way from one role to another, or stopped
    unknown = 15,       // nobody knows whether the event was published
};

[[nodiscard]] ExitStatus exitStatusOf(StatusCode code) noexcept;

// One row a status, for the help text; `last` is the last row.
[[nodiscard]] std::string exitStatusTable(ExitStatus last = ExitStatus::unknown);
// The same of `crnpctl role`, whose 0 means more.
[[nodiscard]] std::string roleExitStatusTable();
// And of `crnpctl publish`.
[[nodiscard]] std::string publishExitStatusTable();

}  // namespace crnpd::crnpctl
