// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The second pass over a document that was refused: whether it is well-formed at all, and if so what is wrong
// with it, by the order of checks in section 3 of docs/protocol.md. It does not validate, so that it costs
// little whatever the document is; it knows the elements by a Vocabulary and words what it finds for the
// programmer of whoever sent it. Inside this folder only.
//
// Threads    One thread at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/xml/parser.h"
#include "common/xml/vocabulary.h"

namespace crnpd::xml {

class Diagnosis final : public Parser {
public:
    explicit Diagnosis(const Vocabulary& vocabulary) : Parser(nullptr), vocabulary_(vocabulary) {}

    // `refusal` is what the first pass said: the answer where this one finds nothing better.
    [[nodiscard]] Error find(std::string_view document, const Prolog& prolog, std::size_t depth,
                             Error refusal);

private:
    [[nodiscard]] const ElementRule& ruleOf(Element element) const { return vocabulary_.rule(element); }

    void onStart(std::u16string_view name, const Attributes& attributes, std::size_t count) override;
    void onText(std::u16string_view text) override;
    void onEnd() override;
    bool passesOver(unsigned code) override;

    void countStranger();
    void checkRoot(std::u16string_view name, const Attributes& attributes, std::size_t count);
    void checkVersion(std::u16string_view version);
    void checkPlace(Element element, std::u16string_view name);
    void checkAttributes(Element element, const Attributes& attributes, std::size_t count);
    void checkValue(Element element, std::u16string_view name, std::u16string_view value);
    void problem(std::string text);

    const Vocabulary& vocabulary_;
    std::size_t deepest_ = 0;
    bool internalSubset_ = false;
    std::vector<Element> open_;
    std::size_t names_ = 0;  // NAME and VALUE so far in the NVPAIR that is open
    std::size_t values_ = 0;
    std::size_t strangers_ = 0;     // elements and entities that are not ours
    std::optional<Error> root_;     // wrong root or VERSION
    std::optional<Error> problem_;  // the first other one
};

}  // namespace crnpd::xml
