// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The way in for programs that have no library for it: an SC_EVENT document at the control socket, as it is,
// answered by one SC_REPLY (docs/protocol.md, "The control socket").
//
// Promise    OK: the event is published, and durable. Any other reply: it is not, now or later. No reply
//            where nobody knows.
// Threads    Any, with a reader each; blocks as long as the peer may be silent and a commit takes.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "common/message.h"
#include "common/result.h"
#include "common/xml/event_reader.h"
#include "server/control/operations.h"

namespace crnpd::control {

inline constexpr std::size_t longestDocument = 1U << 20U;

// The next bytes that the peer sends; empty at the end of file, an error where nothing came in time.
using ReadPiece = std::function<Result<std::string>()>;

// Reads as far as the end of the root element, and what came with it: something else behind the document
// makes it MALFORMED. Nothing is to be said where that is the result.
[[nodiscard]] std::optional<Reply> publishDocument(const ReadPiece& read, xml::EventReader& reader,
                                                   Operations& operations);

}  // namespace crnpd::control
