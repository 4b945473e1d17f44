// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/registration_reader.h"

#include <optional>
#include <string>
#include <utility>

#include "common/xml/diagnosis.h"
#include "common/xml/message_end.h"
#include "common/xml/prolog.h"
#include "common/xml/registration_collector.h"
#include "common/xml/schema_pool.h"

namespace crnpd::xml {
namespace {

// Xerces keeps what it once allocated: buffers as long as the longest text, a record for each attribute of
// the richest element. After a document longer than this the parsers are made anew, which takes some 20 µs.
constexpr std::size_t largeDocument = 64UL * 1024;

// The time that Xerces takes for a start tag grows with the square of its attributes. A document that is
// short cannot have many, so that the usual message is not looked at for this.
constexpr std::size_t mostAttributes = 256;
constexpr std::size_t shortDocument = 4096;

// Xerces takes a character that is cut off behind the root for the end of the document. (The prolog was
// looked at: UTF-16 has no such ends.)
bool mayHaveABrokenEnd(std::string_view document) {
    return static_cast<unsigned char>(document.back()) >= 0x80;
}

// What MessageEnd can tell for certain, and in better words than Xerces.
std::optional<Error> faultOfShape(std::string_view document) {
    MessageEnd end;
    end.feed(document);
    if (end.finish() != MessageEnd::Verdict::complete) return end.error();
    if (end.mostAttributes() <= mostAttributes) return std::nullopt;
    return Error{ErrorCode::invalid,
                 "an element has more than " + std::to_string(mostAttributes) + " attributes", 0};
}

}  // namespace

class RegistrationReader::Parsers {
public:
    Parsers(xercesc::XMLGrammarPool& pool, ReaderLimits limits) : limits_(limits), pool_(pool) {}

    Result<RegistrationMessage> parse(std::string_view document) {
        auto prolog = readProlog(document);
        if (!prolog) return prolog.error();
        std::string blanked;
        if (prolog->hasDoctype()) {
            blankDoctype(document, *prolog, blanked);
            document = blanked;
        }
        auto result = judge(document, *prolog);
        if (document.size() > largeDocument) {
            collector_.reset();
            diagnosis_.reset();
        }
        return result;
    }

    void limit(ReaderLimits limits) noexcept { limits_ = limits; }

private:
    Result<RegistrationMessage> judge(std::string_view document, const Prolog& prolog) {
        Error refusal{ErrorCode::invalid, "the DOCTYPE has an internal subset ([...]); it must not have one",
                      prolog.doctypeLine};
        if (document.size() > shortDocument || mayHaveABrokenEnd(document)) {
            if (auto fault = faultOfShape(document)) return *std::move(fault);
        }
        if (!prolog.internalSubset) {
            if (!collector_) collector_ = std::make_unique<RegistrationCollector>(pool_);
            auto message = collector_->read(document, prolog, limits_);
            if (message) return message;
            refusal = message.error();
        }
        if (auto fault = faultOfShape(document)) return *std::move(fault);
        if (!diagnosis_) diagnosis_ = std::make_unique<Diagnosis>();
        return diagnosis_->find(document, prolog, limits_.depth, std::move(refusal));
    }

    ReaderLimits limits_;
    xercesc::XMLGrammarPool& pool_;
    std::unique_ptr<RegistrationCollector> collector_;
    std::unique_ptr<Diagnosis> diagnosis_;
};

RegistrationReader::RegistrationReader(const Runtime& runtime, ReaderLimits limits)
    : parsers_(std::make_unique<Parsers>(*runtime.schema_->pool, limits)) {}

RegistrationReader::~RegistrationReader() = default;

void RegistrationReader::limit(ReaderLimits limits) noexcept {
    parsers_->limit(limits);
}

Result<RegistrationMessage> RegistrationReader::parse(std::string_view document) noexcept {
    try {
        return parsers_->parse(document);
    } catch (...) {  // Xerces while a parser is made, or the allocator
        return Error{ErrorCode::noSpace, "out of memory while the document was read"};
    }
}

}  // namespace crnpd::xml
