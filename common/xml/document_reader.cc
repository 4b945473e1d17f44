// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/document_reader.h"

#include "common/xml/message_end.h"

namespace crnpd::xml {
namespace {

// The time that Xerces takes for a start tag grows with the square of its attributes. A document that is
// short cannot have many, so that the usual message is not looked at for this.
constexpr std::size_t mostAttributes = 256;
constexpr std::size_t shortDocument = 4096;

// Xerces takes a character that is cut off behind the root for the end of the document. (The prolog was
// looked at: UTF-16 has no such ends.)
bool mayHaveABrokenEnd(std::string_view document) noexcept {
    return static_cast<unsigned char>(document.back()) >= 0x80;
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
