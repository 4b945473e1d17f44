// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Writes SC_EVENT (section 6 of docs/protocol.md): what a client is sent.
//
// Promise    One line with the XML declaration and without a DOCTYPE, a line feed or anything behind the
//            root; always well-formed. EventReader reads back an equal event if isWritable().
// Threads    Free functions without state; need no Runtime.
#pragma once

#include <string>

#include "common/message.h"

namespace crnpd::xml {

// Whether XML can hold the event: every text is legal (isLegalText() in common/xml/text.h), every pair has a
// value. Whoever takes events from elsewhere than a document asks before one is stored.
[[nodiscard]] bool isWritable(const Event& event) noexcept;

// Text that XML cannot hold is written with U+FFFD in its place.
[[nodiscard]] std::string writeEvent(const Event& event);

}  // namespace crnpd::xml
