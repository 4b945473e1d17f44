// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A whole message: whatever the bytes, scanner and reader answer; a reader that has seen anything answers
// like a new one; and what is accepted is what the writer writes.
#include <algorithm>

#include "common/xml/message_end.h"
#include "common/xml/registration_reader.h"
#include "common/xml/registration_writer.h"
#include "common/xml/text.h"
#include "tests/fuzz/fuzz.h"

namespace {

using crnpd::EventRegistration;
using crnpd::NvPair;
using crnpd::RegistrationMessage;
using crnpd::fuzz::require;
using crnpd::xml::isLegalText;
using crnpd::xml::MessageEnd;
using crnpd::xml::RegistrationReader;

const crnpd::xml::Runtime& runtime() {
    static const crnpd::xml::Runtime instance;
    return instance;
}

RegistrationReader& oldReader() {
    static RegistrationReader reader(runtime());
    return reader;
}

bool isLegal(const NvPair& pair) {
    return isLegalText(pair.name) && !pair.values.empty() &&
           std::all_of(pair.values.begin(), pair.values.end(),
                       [](const auto& value) { return isLegalText(value); });
}

bool isLegal(const EventRegistration& event) {
    return isLegalText(event.eventClass) && isLegalText(event.subclass.value_or("")) &&
           std::all_of(event.pairs.begin(), event.pairs.end(),
                       [](const NvPair& pair) { return isLegal(pair); });
}

void checkAccepted(std::string_view document, const RegistrationMessage& message) {
    MessageEnd end;
    require(end.feed(document) == MessageEnd::Verdict::complete, "the end of an accepted document is found");
    require(end.length() == document.size(), "all of an accepted document belongs to it");
    require(message.port != 0, "a port is never 0");
    for (const auto& event : message.events) {
        require(isLegal(event), "accepted text is legal");
        auto normal = event;
        normalize(normal);
        require(normal == event, "accepted registrations are normalized");
    }
    const auto again = oldReader().parse(crnpd::xml::writeRegistration(message));
    require(again.has_value() && *again == message, "an accepted message survives writer and reader");
}

void parse(std::string_view document) {
    const auto byOld = oldReader().parse(document);
    RegistrationReader fresh(runtime());
    const auto byNew = fresh.parse(document);
    require(byOld.has_value() == byNew.has_value(), "an old reader and a new one agree");
    if (!byOld) {
        require(byOld.error() == byNew.error(), "an old reader and a new one find the same fault");
        require(!byOld.error().text.empty() && byOld.error().text.size() < 500,
                "the text of a refusal is short");
        require(isLegalText(byOld.error().text) && byOld.error().text.find('\n') == std::string::npos,
                "the text of a refusal is one line of legal text");
        return;
    }
    require(*byOld == *byNew, "an old reader and a new one read the same");
    checkAccepted(document, *byOld);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = crnpd::fuzz::textOf(data, size);
    parse(bytes);
    MessageEnd end;
    if (end.feed(bytes) == MessageEnd::Verdict::complete && end.length() != size)
        parse(bytes.substr(0, end.length()));
    return 0;
}
