// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/control/event_document.h"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "common/xml/message_end.h"
#include "server/control/event_requests.h"

namespace crnpd::control {
namespace {

StatusCode codeFor(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::malformed:
            return StatusCode::malformed;
        case ErrorCode::invalid:
        case ErrorCode::invalidArgument:
            return StatusCode::invalid;
        case ErrorCode::versionTooHigh:
            return StatusCode::versionTooHigh;
        case ErrorCode::versionTooLow:
            return StatusCode::versionTooLow;
        case ErrorCode::busy:
            return StatusCode::retry;
        case ErrorCode::noSpace:
            return StatusCode::lowResource;
        default:
            return StatusCode::systemError;
    }
}

Reply replyFor(const Error& error) {
    return {codeFor(error.code),
            error.line == 0 ? error.text : fmt::format("line {}: {}", error.line, error.text)};
}

// busy: it did not come to its end in time. noSpace: too long.
Result<std::string> readDocument(const ReadPiece& read) {
    std::string document;
    xml::MessageEnd end;
    while (end.verdict() == xml::MessageEnd::Verdict::needMore) {
        const auto piece = read();
        if (!piece) return Error{ErrorCode::busy, "the document was not complete in time"};
        if (document.size() + piece->size() > longestDocument)
            return Error{ErrorCode::noSpace,
                         fmt::format("the document is longer than {} bytes", longestDocument)};
        document += *piece;
        if (piece->empty()) {
            end.finish();
        } else {
            end.feed(*piece);
        }
    }
    if (end.verdict() != xml::MessageEnd::Verdict::complete) return end.error();
    document.resize(end.length());
    return document;
}

Result<Sequence> readAndPublish(const ReadPiece& read, xml::EventReader& reader, Operations& operations) {
    const auto document = readDocument(read);
    if (!document) return document.error();
    auto event = reader.parse(*document);
    if (!event) return event.error();
    return publishAndLog(*std::move(event), operations);
}

}  // namespace

std::optional<Reply> publishDocument(const ReadPiece& read, xml::EventReader& reader,
                                     Operations& operations) {
    const auto sequence = readAndPublish(read, reader, operations);
    if (sequence) return Reply{StatusCode::ok, fmt::format("event {} published", *sequence)};
    if (sequence.error().code == ErrorCode::superseded) return std::nullopt;
    return replyFor(sequence.error());
}

}  // namespace crnpd::control
