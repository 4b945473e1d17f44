// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// SC_REPLY (section 5 of docs/protocol.md): written by the server, read by a client.
//
// Threads    Free functions without state.
#pragma once

#include <string>
#include <string_view>

#include "common/message.h"
#include "common/result.h"

namespace crnpd::xml {

// One line with the XML declaration and without a DOCTYPE, a line feed or anything behind the root. Always
// well-formed: characters that XML cannot hold become U+FFFD, line ends in the text blanks. Needs no Runtime.
[[nodiscard]] std::string writeReply(const Reply& reply);

// Takes any server's reply: with or without a DOCTYPE (which is never read), attributes in any order, both
// spellings of the old codes, VERSION not looked at. A Runtime must be alive. Errors: malformed, or
// invalid where it is not an SC_REPLY with a known STATUS_CODE.
[[nodiscard]] Result<Reply> readReply(std::string_view document) noexcept;

}  // namespace crnpd::xml
