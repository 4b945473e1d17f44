// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/registration_reader.h"

#include "common/xml/document_reader.h"
#include "common/xml/registration_collector.h"

namespace crnpd::xml {

class RegistrationReader::Document : public DocumentReader<RegistrationCollector> {
    using DocumentReader::DocumentReader;
};

RegistrationReader::RegistrationReader(const Runtime& runtime, ReaderLimits limits)
    : limits_(limits),
      document_(std::make_unique<Document>(runtime.schemas_->registration, registrationVocabulary())) {}

RegistrationReader::~RegistrationReader() = default;

void RegistrationReader::limit(ReaderLimits limits) noexcept {
    limits_ = limits;
}

Result<RegistrationMessage> RegistrationReader::parse(std::string_view document) noexcept {
    return document_->parse(document, limits_);
}

}  // namespace crnpd::xml
