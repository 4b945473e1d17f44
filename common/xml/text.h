// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Text on its way into a document or into an error message.
//
// Threads    Free functions without state.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace crnpd::xml {

// UTF-8 throughout, and every character one that XML 1.0 allows. What is legal here survives a document
// unchanged; anything else cannot be written in XML at all.
[[nodiscard]] bool isLegalText(std::string_view text) noexcept;

// Appends `text` as element content or as an attribute value in double quotes: whatever a parser would
// take for markup or would normalise (line ends, tabs) becomes a reference, and what XML cannot hold
// becomes U+FFFD, one for each byte of broken UTF-8.
void appendContent(std::string& out, std::string_view text);
void appendAttribute(std::string& out, std::string_view text);

// `text` as a person may see it in one line: in double quotes, control characters and broken UTF-8 as
// \xNN, and after `longest` bytes "…".
[[nodiscard]] std::string quoted(std::string_view text, std::size_t longest = 60);

}  // namespace crnpd::xml
