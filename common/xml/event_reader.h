// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Reads one SC_EVENT document (section 6 of docs/protocol.md): what a publisher hands in, and what a client
// is sent.
//
// Errors     The same in the same order as those of RegistrationReader, with the line: malformed; invalid;
//            versionTooHigh, versionTooLow; noSpace when out of memory.
// Cost       As RegistrationReader: linear, and neither reads a file, opens a connection nor expands an
//            entity, whatever the document says. The length is not limited here.
// Promise    What is accepted has at least one value in each pair and only text that writeEvent() can write;
//            names and values are never trimmed, the pairs stay in their order.
// Threads    One thread at a time; reused for every document. The Runtime must outlive it.
#pragma once

#include <memory>
#include <string_view>

#include "common/message.h"
#include "common/result.h"
#include "common/xml/runtime.h"

namespace crnpd::xml {

class EventReader {
public:
    explicit EventReader(const Runtime& runtime);
    ~EventReader();
    EventReader(const EventReader&) = delete;
    EventReader& operator=(const EventReader&) = delete;

    // `document` is what MessageEnd found, or all bytes up to the end of file; it is not kept.
    [[nodiscard]] Result<Event> parse(std::string_view document) noexcept;

private:
    class Document;
    std::unique_ptr<Document> document_;
};

}  // namespace crnpd::xml
