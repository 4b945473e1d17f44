// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// crnpctl listen: a client for as long as it runs. It takes the callback port before it registers, so that no
// event finds the port closed, and unregisters before it ends.
//
//     listening      the port is ours; whoever calls before the reply to ADD_CLIENT has come is reset without
//                    a word: reply first, then event (section 7 of docs/protocol.md)
//     registered     each document is read, printed and flushed, and only then acknowledged
//     leaving        told to stop, enough events, or an output that takes no more: REMOVE_CLIENT, for at most
//                    ten seconds; whoever calls meanwhile is reset, and told to stop again it ends at once
//
// What happens is said on the standard error. Whoever was told to stop before the registration was answered
// unregisters all the same if the server may have heard of it.
//
// Errors     A refused registration or unregistration: the exit status of the reply. A port that cannot be
//            had: failed. A document that cannot be read is reported, acknowledged and forgotten: it would
//            not be better the next time.
// Threads    Blocks until the command is done; one thread. Makes an xml::Runtime of its own.
#pragma once

#include "tools/crnpctl/commands.h"

namespace crnpd::crnpctl {

[[nodiscard]] ExitStatus carryOut(const ListenCommand& command, const Process& process);

}  // namespace crnpd::crnpctl
