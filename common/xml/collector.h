// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The pass that accepts: parses, holds the document against its schema and collects what it says, and stops
// at the first thing that is wrong. What the kinds of documents share is here: levels, NVPAIR and text.
// Inside this folder only.
//
// Errors     Any error says no more than that the document is refused (and noSpace why); Diagnosis finds the
//            code and the words for it, because a fault of well-formedness further on goes first.
// Threads    One thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/message.h"
#include "common/xml/parser.h"
#include "common/xml/schema_pool.h"

namespace crnpd::xml {

class Collector : public Parser {
protected:
    // `pairLevel`: how deep NVPAIR stands in a valid document; the root is at level 1.
    Collector(const PooledSchema& schema, std::size_t pairLevel) : Parser(&schema), pairLevel_(pairLevel) {}

    [[nodiscard]] Result<void> collect(std::string_view document, const Prolog& prolog, std::size_t depth);

    // The schema lets declarations of namespaces and xsi:... pass, and so do no others get here.
    [[noreturn]] void refuseAttribute(const xercesc::XMLAttr& attribute);

private:
    // An element above the pairs. The schema has the last word on names and places. It may speak only at an
    // end tag, so that what is done here must be harmless for any element.
    virtual void onOpened(std::size_t level, const Attributes& attributes, std::size_t count) = 0;
    virtual void onClosed(std::size_t level) = 0;
    // Those of the innermost element that was opened.
    virtual std::vector<NvPair>& pairs() = 0;

    void onStart(std::u16string_view name, const Attributes& attributes, std::size_t count) final;
    void onText(std::u16string_view text) final;
    void onEnd() final;

    [[nodiscard]] std::size_t textLevel() const noexcept { return pairLevel_ + 1; }

    std::size_t pairLevel_;
    std::size_t deepest_ = 0;
    std::size_t depth_ = 0;
    bool inName_ = false;
    std::u16string text_;
};

}  // namespace crnpd::xml
