// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/event_codec.h"

#include <utility>

#include "common/record_text.h"

namespace crnpd {
namespace {

using record_text::append;
using record_text::Reader;

bool readText(Reader& reader, std::string& out) {
    const auto text = reader.string();
    if (text) out = *text;
    return text.has_value();
}

bool readPair(Reader& reader, NvPair& pair) {
    if (!readText(reader, pair.name)) return false;
    const auto count = reader.count(record_text::shortestValue);
    if (!count) return false;
    pair.values.resize(*count);
    for (auto& value : pair.values) {
        if (!readText(reader, value)) return false;
    }
    return true;
}

bool readEvent(Reader& reader, Event& event) {
    for (auto* part : {&event.eventClass, &event.subclass, &event.vendor, &event.publisher}) {
        if (!readText(reader, *part)) return false;
    }
    const auto count = reader.count(record_text::shortestPair);
    if (!count) return false;
    event.pairs.resize(*count);
    for (auto& pair : event.pairs) {
        if (!readPair(reader, pair)) return false;
    }
    return reader.rest() == 0;
}

}  // namespace

std::string encodeEvent(const Event& event) {
    std::string out;
    for (const auto* part : {&event.eventClass, &event.subclass, &event.vendor, &event.publisher})
        append(out, std::string_view{*part});
    append(out, event.pairs.size());
    for (const NvPair& pair : event.pairs)
        append(out, pair);
    return out;
}

Result<Event> decodeEvent(std::string_view record) {
    Reader reader(record);
    Event event;
    if (readEvent(reader, event)) return event;
    return Error{ErrorCode::damaged, "record of an event is damaged at byte " +
                                         std::to_string(reader.position()) + " of " +
                                         std::to_string(record.size())};
}

}  // namespace crnpd
