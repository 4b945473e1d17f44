// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The pass that accepts: parses, holds the document against the schema and collects the message, and stops at
// the first thing that is wrong. Inside this folder only.
//
// Errors     Any error says no more than that the document is refused (and noSpace why); Diagnosis finds the
// code
//            and the words for it, because a fault of well-formedness further on goes first.
// Threads    One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/message.h"
#include "common/xml/parser.h"
#include "common/xml/registration_reader.h"

namespace crnpd::xml {

// Decimal, 1..65535, digits only; leading zeros are harmless.
[[nodiscard]] std::optional<std::uint16_t> portIn(std::u16string_view text) noexcept;

[[nodiscard]] std::u16string_view trimmed(std::u16string_view text) noexcept;

class RegistrationCollector final : public Parser {
public:
    explicit RegistrationCollector(xercesc::XMLGrammarPool& pool) : Parser(&pool) {}

    [[nodiscard]] Result<RegistrationMessage> read(std::string_view document, const Prolog& prolog,
                                                   const ReaderLimits& limits);

private:
    void onStart(std::u16string_view name, const Attributes& attributes, std::size_t count) override;
    void onText(std::u16string_view text) override;
    void onEnd() override;

    [[noreturn]] void refuseAttribute(const xercesc::XMLAttr& attribute);
    void readRoot(const Attributes& attributes, std::size_t count);
    void readEvent(const Attributes& attributes, std::size_t count);

    ReaderLimits limits_;
    std::size_t depth_ = 0;
    bool inName_ = false;
    std::u16string text_;
    RegistrationMessage message_;
};

}  // namespace crnpd::xml
