// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What stands before the root element, looked at before Xerces sees the document: the encoding, because
// Xerces would accept any that its converters know, and the DOCTYPE, because its schema scanner passes over
// it without looking (section 3 of docs/protocol.md). Inside this folder only.
//
// Threads    Free functions without state.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace crnpd::xml {

struct Prolog {
    enum class Encoding { bytes, utf16le, utf16be };

    Encoding encoding = Encoding::bytes;
    bool byteOrderMark = false;
    // How many bytes of an XML declaration say only what holds without it: the parser need not read them.
    std::size_t redundant = 0;
    // The DOCTYPE declaration, as offsets in bytes; both 0 where there is none.
    std::size_t doctypeBegin = 0;
    std::size_t doctypeEnd = 0;
    unsigned doctypeLine = 0;
    bool internalSubset = false;

    [[nodiscard]] bool hasDoctype() const noexcept { return doctypeEnd != 0; }
};

// malformed where the encoding is not allowed, the XML version is not 1.0 or a DOCTYPE is not well-formed. Of
// an internal subset only the brackets are read. Every other fault is left to the parser.
[[nodiscard]] Result<Prolog> readProlog(std::string_view document);

// A copy in `out` with blanks in place of the DOCTYPE, every line where it was: what the parser is given.
void blankDoctype(std::string_view document, const Prolog& prolog, std::string& out);

}  // namespace crnpd::xml
