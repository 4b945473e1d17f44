// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/document_reader.h"

#include <algorithm>

#include "common/xml/message_end.h"

namespace crnpd::xml {
namespace {

// The time that Xerces takes for a start tag grows with the square of its attributes. A document that is
// short cannot have many, so that the usual message is not looked at for this.
constexpr std::size_t mostAttributes = 256;
constexpr std::size_t shortDocument = 4096;

// Xerces takes a character that is cut off behind the root for the end of the document, and what stands in
// the place of its missing bytes, whatever that is, is never seen. 0xFF announces most bytes, more than UTF-8
// knows: eight. (The prolog was looked at: UTF-16 has no such ends.)
bool mayHaveABrokenEnd(std::string_view document) noexcept {
    constexpr std::size_t longestCharacter = 8;
    const auto end = document.substr(document.size() - std::min(document.size(), longestCharacter - 1));
    return std::any_of(end.begin(), end.end(),
                       [](char byte) { return static_cast<unsigned char>(byte) >= 0x80; });
}

}  // namespace

bool isShapeInDoubt(std::string_view document) noexcept {
    return document.size() > shortDocument || mayHaveABrokenEnd(document);
}

std::optional<Error> faultOfShape(std::string_view document) {
    MessageEnd end;
    end.feed(document);
    if (end.finish() != MessageEnd::Verdict::complete) return end.error();
    if (end.mostAttributes() <= mostAttributes) return std::nullopt;
    return Error{ErrorCode::invalid,
                 "an element has more than " + std::to_string(mostAttributes) + " attributes", 0};
}

}  // namespace crnpd::xml
