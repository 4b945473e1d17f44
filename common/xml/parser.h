// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A Xerces parser that never opens anything, stops at the first fault and says what it was in our words.
// Inside this folder only: readers derive from it and take what they need from the callbacks.
//
// Errors     Nothing leaves parse() but a Result. A callback that has seen enough throws by stop().
// Threads    One thread at a time; the grammar pool is locked and shared.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <xercesc/parsers/SAX2XMLReaderImpl.hpp>
#include <xercesc/sax/Locator.hpp>
#include <xercesc/sax2/DefaultHandler.hpp>

#include "common/result.h"
#include "common/xml/prolog.h"
#include "common/xml/schema_pool.h"

namespace crnpd::xml {

static_assert(sizeof(XMLCh) == sizeof(char16_t));

[[nodiscard]] std::string utf8(std::u16string_view text);
void appendUtf8(std::string& out, std::u16string_view text);
// Without the white space at its ends.
[[nodiscard]] std::u16string_view trimmed(std::u16string_view text) noexcept;
// As quoted() of text.h.
[[nodiscard]] std::string shown(std::u16string_view text);

using Attributes = xercesc::RefVectorOf<xercesc::XMLAttr>;

class Parser : public xercesc::SAX2XMLReaderImpl {
public:
    // With a schema, which must outlive the parser, each document is held against it; with nullptr it is only
    // parsed.
    explicit Parser(const PooledSchema* schema);

    // `document` has no DOCTYPE. Done, or what stop() was given, or the first fault that Xerces found:
    // malformed; but invalid with a schema, because then Xerces also minds namespaces, which are no matter of
    // XML 1.0.
    [[nodiscard]] Result<void> run(std::string_view document, const Prolog& prolog);

protected:
    struct Stop {};

    // What was seen so far was enough.
    [[noreturn]] void stop(Error error);
    // Where the parser is: for onStart() the line in which the start tag ends.
    [[nodiscard]] unsigned line() const { return place_.line(); }

    virtual void onStart(std::u16string_view name, const Attributes& attributes, std::size_t count) = 0;
    virtual void onText(std::u16string_view text) = 0;
    virtual void onEnd() = 0;
    // Whether to go on after a fault of well-formedness; `code` is an XMLErrs::Codes.
    virtual bool passesOver(unsigned code);

private:
    class Place final : public xercesc::DefaultHandler {
    public:
        void setDocumentLocator(const xercesc::Locator* locator) override { locator_ = locator; }
        [[nodiscard]] unsigned line() const;

    private:
        const xercesc::Locator* locator_ = nullptr;
    };

    void startElement(const xercesc::XMLElementDecl& element, unsigned int uri, const XMLCh* prefix,
                      const Attributes& attributes, XMLSize_t count, bool isEmpty, bool isRoot) final;
    void endElement(const xercesc::XMLElementDecl& element, unsigned int uri, bool isRoot,
                    const XMLCh* prefix) final;
    void docCharacters(const XMLCh* chars, XMLSize_t length, bool cdata) final;
    void ignorableWhitespace(const XMLCh* chars, XMLSize_t length, bool cdata) final;
    void docComment(const XMLCh* comment) final;
    void docPI(const XMLCh* target, const XMLCh* data) final;
    void endDocument() final;
    void error(unsigned int code, const XMLCh* domain, xercesc::XMLErrorReporter::ErrTypes type,
               const XMLCh* text, const XMLCh* systemId, const XMLCh* publicId, XMLFileLoc faultLine,
               XMLFileLoc faultColumn) final;

    bool validating_;
    Place place_;
    std::optional<Error> error_;
};

}  // namespace crnpd::xml
