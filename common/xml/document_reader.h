// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What the readers of SC_CALLBACK_REG and SC_EVENT share: the order in which a document is looked at, so that
// each has the same protections. Inside this folder only.
//
// Cost       One pass for a document that is accepted, a second for one that is refused. Both are linear.
// Threads    One thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/result.h"
#include "common/xml/diagnosis.h"
#include "common/xml/prolog.h"
#include "common/xml/schema_pool.h"
#include "common/xml/vocabulary.h"

namespace crnpd::xml {

// Xerces keeps what it once allocated: buffers as long as the longest text, a record for each attribute of
// the richest element. After a document longer than this the parsers are made anew, which takes some 20 µs.
inline constexpr std::size_t largeDocument = 64UL * 1024;

// What MessageEnd can tell for certain, and in better words than Xerces.
[[nodiscard]] std::optional<Error> faultOfShape(std::string_view document);
// Whether that has to be asked before Xerces sees the document, because Xerces would take too long over it or
// would pass over a fault.
[[nodiscard]] bool isShapeInDoubt(std::string_view document) noexcept;

// `Kind` is the document's Collector: Kind::Value is what it makes of a document, Kind::Limits has a depth.
template <typename Kind>
class DocumentReader {
public:
    // Both must outlive the reader.
    DocumentReader(const PooledSchema& schema, const Vocabulary& vocabulary)
        : schema_(schema), vocabulary_(vocabulary) {}

    // Anything but a document is an Error; nothing is thrown.
    [[nodiscard]] Result<typename Kind::Value> parse(std::string_view document,
                                                     const typename Kind::Limits& limits) noexcept {
        try {
            auto result = withoutDoctype(document, limits);
            if (document.size() > largeDocument) {
                collector_.reset();
                diagnosis_.reset();
            }
            return result;
        } catch (...) {  // Xerces while a parser is made, or the allocator
            return Error{ErrorCode::noSpace, "out of memory while the document was read"};
        }
    }

private:
    Result<typename Kind::Value> withoutDoctype(std::string_view document,
                                                const typename Kind::Limits& limits) {
        const auto prolog = readProlog(document);
        if (!prolog) return prolog.error();
        if (!prolog->hasDoctype()) return judge(document, *prolog, limits);
        std::string blanked;
        blankDoctype(document, *prolog, blanked);
        return judge(blanked, *prolog, limits);
    }

    Result<typename Kind::Value> judge(std::string_view document, const Prolog& prolog,
                                       const typename Kind::Limits& limits) {
        Error refusal{ErrorCode::invalid, "the DOCTYPE has an internal subset ([...]); it must not have one",
                      prolog.doctypeLine};
        if (isShapeInDoubt(document)) {
            if (auto fault = faultOfShape(document)) return *std::move(fault);
        }
        if (!prolog.internalSubset) {
            if (!collector_) collector_ = std::make_unique<Kind>(schema_);
            auto value = collector_->read(document, prolog, limits);
            if (value) return value;
            refusal = value.error();
        }
        if (auto fault = faultOfShape(document)) return *std::move(fault);
        if (!diagnosis_) diagnosis_ = std::make_unique<Diagnosis>(vocabulary_);
        return diagnosis_->find(document, prolog, limits.depth, std::move(refusal));
    }

    const PooledSchema& schema_;
    const Vocabulary& vocabulary_;
    std::unique_ptr<Kind> collector_;
    std::unique_ptr<Diagnosis> diagnosis_;
};

}  // namespace crnpd::xml
