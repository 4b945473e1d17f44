// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/event_reader.h"

#include "common/xml/document_reader.h"
#include "common/xml/event_collector.h"

namespace crnpd::xml {

class EventReader::Document : public DocumentReader<EventCollector> {
    using DocumentReader::DocumentReader;
};

EventReader::EventReader(const Runtime& runtime)
    : document_(std::make_unique<Document>(runtime.schemas_->event, eventVocabulary())) {}

EventReader::~EventReader() = default;

Result<Event> EventReader::parse(std::string_view document) noexcept {
    return document_->parse(document, {});
}

}  // namespace crnpd::xml
