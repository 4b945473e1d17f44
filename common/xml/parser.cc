// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/parser.h"

#include <algorithm>
#include <new>

#include <xercesc/framework/MemBufInputSource.hpp>
#include <xercesc/framework/XMLAttr.hpp>
#include <xercesc/framework/XMLElementDecl.hpp>
#include <xercesc/framework/XMLErrorCodes.hpp>
#include <xercesc/util/OutOfMemoryException.hpp>
#include <xercesc/util/PlatformUtils.hpp>
#include <xercesc/util/XMLString.hpp>
#include <xercesc/util/XMLUni.hpp>

#include "common/xml/faults.h"
#include "common/xml/text.h"

namespace crnpd::xml {
namespace {

using xercesc::XMLUni;

void appendCodePoint(std::string& out, char32_t code) {
    const auto byte = [&out](char32_t value) {
        out.push_back(static_cast<char>(static_cast<unsigned char>(value)));
    };
    if (code < 0x80) return byte(code);
    if (code < 0x800) {
        byte(0xC0U | code >> 6U);
    } else {
        if (code < 0x10000) {
            byte(0xE0U | code >> 12U);
        } else {
            byte(0xF0U | code >> 18U);
            byte(0x80U | (code >> 12U & 0x3FU));
        }
        byte(0x80U | (code >> 6U & 0x3FU));
    }
    byte(0x80U | (code & 0x3FU));
}

bool isHighSurrogate(char16_t unit) noexcept {
    return unit >= 0xD800 && unit < 0xDC00;
}
bool isLowSurrogate(char16_t unit) noexcept {
    return unit >= 0xDC00 && unit < 0xE000;
}

unsigned asLine(XMLFileLoc line) {
    return static_cast<unsigned>(line);
}

}  // namespace

void appendUtf8(std::string& out, std::u16string_view text) {
    const auto ascii =
        std::find_if(text.begin(), text.end(), [](char16_t unit) { return unit >= 0x80; }) - text.begin();
    out.append(text.begin(), text.begin() + ascii);
    for (auto i = static_cast<std::size_t>(ascii); i < text.size(); ++i) {
        char32_t code = text[i];
        if (code < 0x80) {
            out.push_back(static_cast<char>(code));
            continue;
        }
        if (isHighSurrogate(text[i]) && i + 1 < text.size() && isLowSurrogate(text[i + 1])) {
            ++i;
            code = 0x10000U + ((code - 0xD800U) << 10U) + (char32_t{text[i]} - 0xDC00U);
        } else if (isHighSurrogate(text[i]) || isLowSurrogate(text[i])) {
            code = 0xFFFD;  // Xerces lets no lone surrogate through; nothing wrong is written if it ever does
        }
        appendCodePoint(out, code);
    }
}

std::string utf8(std::u16string_view text) {
    std::string out;
    out.reserve(text.size());
    appendUtf8(out, text);
    return out;
}

std::u16string_view trimmed(std::u16string_view text) noexcept {
    constexpr std::u16string_view space = u" \t\r\n";
    const auto first = text.find_first_not_of(space);
    if (first == std::u16string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(space) - first + 1);
}

std::string shown(std::u16string_view text) {
    return quoted(utf8(text.substr(0, 200)));
}

unsigned Parser::Place::line() const {
    return locator_ == nullptr ? 0 : asLine(locator_->getLineNumber());
}

Parser::Parser(const PooledSchema* schema)
    : SAX2XMLReaderImpl(xercesc::XMLPlatformUtils::fgMemoryManager,
                        schema == nullptr ? nullptr : schema->pool.get()),
      validating_(schema != nullptr) {
    // Never DGXMLScanner or IGXMLScanner, which run the DTD code (docs/architecture.md). The one for schemas
    // takes quadratic time over unknown names, so it is not the one that looks at a refused document.
    setProperty(XMLUni::fgXercesScannerName,
                const_cast<XMLCh*>(validating_ ? XMLUni::fgSGXMLScanner : XMLUni::fgWFXMLScanner));
    // No limit of expansions is set: it would count &lt; and its four siblings, and others cannot be
    // declared, because the parser is given no DOCTYPE.
    setFeature(XMLUni::fgXercesDisableDefaultEntityResolution, true);
    setFeature(XMLUni::fgXercesLoadExternalDTD, false);
    setFeature(XMLUni::fgXercesLoadSchema, false);
    setFeature(XMLUni::fgXercesDynamic, false);
    setFeature(XMLUni::fgSAX2CoreNameSpaces, validating_);
    setFeature(XMLUni::fgSAX2CoreValidation, validating_);
    setFeature(XMLUni::fgXercesSchema, validating_);
    // error() ends a parse, unless it passes over the fault.
    setFeature(XMLUni::fgXercesContinueAfterFatalError, true);
    if (schema != nullptr) {
        setFeature(XMLUni::fgXercesUseCachedGrammarInParse, true);
        // Without it the scanner does not look for the pooled grammar.
        setProperty(XMLUni::fgXercesSchemaExternalNoNameSpaceSchemaLocation,
                    const_cast<char16_t*>(schema->name));
    }
    // Without handlers Xerces calls neither error() nor startElement().
    setContentHandler(&place_);
    setErrorHandler(&place_);
}

Result<void> Parser::run(std::string_view document, const Prolog& prolog) {
    error_.reset();
    try {
        const auto rest = document.substr(prolog.redundant);
        xercesc::MemBufInputSource source(reinterpret_cast<const XMLByte*>(rest.data()), rest.size(),
                                          u"document");
        source.setCopyBufToStream(false);
        // Xerces recognises UTF-16 without a mark only by an XML declaration.
        if (prolog.encoding != Prolog::Encoding::bytes && !prolog.byteOrderMark) {
            const bool little = prolog.encoding == Prolog::Encoding::utf16le;
            source.setEncoding(little ? u"UTF-16LE" : u"UTF-16BE");
        }
        parse(source);
    } catch (const Stop&) {
        return *std::move(error_);
    } catch (const xercesc::OutOfMemoryException&) {
        return Error{ErrorCode::noSpace, "out of memory while the document was read"};
    } catch (const std::bad_alloc&) {
        return Error{ErrorCode::noSpace, "out of memory while the document was read"};
    } catch (const xercesc::XMLException& exception) {
        return Error{ErrorCode::malformed, faultText(0, utf8(exception.getMessage())),
                     asLine(exception.getSrcLine())};
    }
    return {};
}

void Parser::stop(Error error) {
    error_ = std::move(error);
    throw Stop{};
}

void Parser::startElement(const xercesc::XMLElementDecl& element, unsigned int /*uri*/, const XMLCh* prefix,
                          const Attributes& attributes, XMLSize_t count, bool isEmpty, bool /*isRoot*/) {
    if (prefix != nullptr && *prefix != 0) {
        onStart(std::u16string(prefix) + u':' + element.getBaseName(), attributes, count);
    } else {
        onStart(element.getBaseName(), attributes, count);
    }
    if (isEmpty) onEnd();
}

void Parser::endElement(const xercesc::XMLElementDecl& /*element*/, unsigned int /*uri*/, bool /*isRoot*/,
                        const XMLCh* /*prefix*/) {
    onEnd();
}

void Parser::docCharacters(const XMLCh* chars, XMLSize_t length, bool /*cdata*/) {
    onText({chars, length});
}

void Parser::ignorableWhitespace(const XMLCh* /*chars*/, XMLSize_t /*length*/, bool /*cdata*/) {}
void Parser::docComment(const XMLCh* /*comment*/) {}
void Parser::docPI(const XMLCh* /*target*/, const XMLCh* /*data*/) {}
void Parser::endDocument() {}

void Parser::error(unsigned int code, const XMLCh* domain, XMLErrorReporter::ErrTypes type, const XMLCh* text,
                   const XMLCh* /*systemId*/, const XMLCh* /*publicId*/, XMLFileLoc faultLine,
                   XMLFileLoc /*faultColumn*/) {
    const bool schema = std::u16string_view(domain) != XMLUni::fgXMLErrDomain;
    // An exception ended the parse, even where it calls itself a warning.
    const bool ended = !schema && code == xercesc::XMLErrs::XMLException_Warning;
    if (type == XMLErrorReporter::ErrType_Warning && !ended) return;
    if (!schema && passesOver(code)) return;
    stop({validating_ ? ErrorCode::invalid : ErrorCode::malformed, faultText(schema ? 0 : code, utf8(text)),
          asLine(faultLine)});
}

bool Parser::passesOver(unsigned /*code*/) {
    return false;
}

}  // namespace crnpd::xml
