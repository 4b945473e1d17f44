// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What Xerces complains of, in words for a client's programmer. Inside this folder only.
//
// Threads    Free functions without state.
#pragma once

#include <string>
#include <string_view>

namespace crnpd::xml {

// `code` is an XMLErrs::Codes; `text` is what Xerces says, for the codes that have no words of ours.
[[nodiscard]] std::string faultText(unsigned code, std::string_view text);

}  // namespace crnpd::xml
