// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A reply on the standard output.
#pragma once

#include <iosfwd>

#include "tools/crnpctl/patient_client.h"

namespace crnpd::crnpctl {

enum class ReplyForm {
    text,  // OK: message
    xml,   // the document as the server wrote it
    json,  // {"message":"...","status":"OK"}
};

void printReply(std::ostream& out, const FinalReply& reply, ReplyForm form);

}  // namespace crnpd::crnpctl
