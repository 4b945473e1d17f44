// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A whole event: whatever the bytes, the reader answers; one that has seen anything answers like a new one;
// and what is accepted can be written and stored, and comes back the same.
#include "common/event_codec.h"
#include "common/xml/event_reader.h"
#include "common/xml/event_writer.h"
#include "common/xml/text.h"
#include "tests/fuzz/fuzz.h"

namespace {

using crnpd::Event;
using crnpd::fuzz::require;
using crnpd::xml::EventReader;
using crnpd::xml::isLegalText;

const crnpd::xml::Runtime& runtime() {
    static const crnpd::xml::Runtime instance;
    return instance;
}

EventReader& oldReader() {
    static EventReader reader(runtime());
    return reader;
}

void checkAccepted(const Event& event) {
    require(crnpd::xml::isWritable(event), "an accepted event can be written");
    const std::string document = crnpd::xml::writeEvent(event);
    require(document.find('\n') == std::string::npos, "an event is written as one line");
    const auto again = oldReader().parse(document);
    require(again.has_value() && *again == event, "an accepted event survives writer and reader");
    const auto stored = crnpd::decodeEvent(crnpd::encodeEvent(event));
    require(stored.has_value() && *stored == event, "an accepted event survives being stored");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto document = crnpd::fuzz::textOf(data, size);
    const auto byOld = oldReader().parse(document);
    EventReader fresh(runtime());
    const auto byNew = fresh.parse(document);
    require(byOld.has_value() == byNew.has_value(), "an old reader and a new one agree");
    if (byOld) {
        require(*byOld == *byNew, "an old reader and a new one read the same");
        checkAccepted(*byOld);
        return 0;
    }
    require(byOld.error() == byNew.error(), "an old reader and a new one find the same fault");
    require(!byOld.error().text.empty() && byOld.error().text.size() < 500, "the text of a refusal is short");
    require(isLegalText(byOld.error().text) && byOld.error().text.find('\n') == std::string::npos,
            "the text of a refusal is one line of legal text");
    return 0;
}
