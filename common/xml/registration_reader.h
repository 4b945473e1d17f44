// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Reads one SC_CALLBACK_REG document (section 3 of docs/protocol.md).
//
// Errors     In the order of section 3, with the line and words that a client's programmer understands:
//              malformed                       not well-formed, or an encoding that is not allowed
//              invalid                         another root, internal DTD subset, namespace, not the schema
//              versionTooHigh, versionTooLow   VERSION is a number and not 1.0
//              noSpace                         more registrations than the limit, or out of memory:
//              LOW_RESOURCE
//            A document that is not well-formed is malformed even if something before the fault is invalid.
//            Three exceptions bound the cost and are invalid whatever follows: nesting deeper than
//            `limits.depth`, an element with more than 256 attributes, more than 1000 unknown elements.
// Cost       One pass for a document that is accepted. For one that is refused a second, not validating pass
//            over the same bytes decides between malformed and the rest. Both are linear; neither reads a
//            file, opens a connection or expands an entity.
// Promise    What is accepted is normalize()d, its texts are UTF-8 that writeRegistration() can write, and
//            names and values are never trimmed.
// Threads    One per event-loop thread, reused for every document. The Runtime must outlive it.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "common/message.h"
#include "common/result.h"
#include "common/xml/runtime.h"

namespace crnpd::xml {

struct ReaderLimits {
    std::size_t registrations = 1000;  // SC_EVENT_REG in one message: registrations_per_client
    std::size_t depth = 64;            // elements inside each other; a valid document has 4
};

class RegistrationReader {
public:
    explicit RegistrationReader(const Runtime& runtime, ReaderLimits limits = {});
    ~RegistrationReader();
    RegistrationReader(const RegistrationReader&) = delete;
    RegistrationReader& operator=(const RegistrationReader&) = delete;

    // `document` is what MessageEnd found; it is not kept.
    [[nodiscard]] Result<RegistrationMessage> parse(std::string_view document) noexcept;

    // After a reload of the settings; holds from the next document on.
    void limit(ReaderLimits limits) noexcept;

private:
    class Document;
    ReaderLimits limits_;
    std::unique_ptr<Document> document_;
};

}  // namespace crnpd::xml
