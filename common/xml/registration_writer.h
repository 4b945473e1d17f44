// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Writes SC_CALLBACK_REG as Sun's sample client does: one line, attributes PORT, REG_TYPE, VERSION, names and
// values as CDATA (section 3 of docs/protocol.md).
//
// Promise    RegistrationReader reads back an equal message if every text is legal (isLegalText() in
//            common/xml/text.h) and every pair has a value. Other text is written with U+FFFD in its place.
// Threads    A free function without state; needs no Runtime.
#pragma once

#include <string>

#include "common/message.h"

namespace crnpd::xml {

[[nodiscard]] std::string writeRegistration(const RegistrationMessage& message);

}  // namespace crnpd::xml
