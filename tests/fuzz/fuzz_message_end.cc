// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Where a message ends, against Xerces: in every document that Xerces calls well-formed the end is found, at
// the last byte of its root and not before. And it is the same however the bytes are split.
#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include <xercesc/framework/MemBufInputSource.hpp>
#include <xercesc/parsers/SAX2XMLReaderImpl.hpp>
#include <xercesc/sax2/DefaultHandler.hpp>
#include <xercesc/util/SecurityManager.hpp>
#include <xercesc/util/XMLUni.hpp>

#include "common/xml/message_end.h"
#include "common/xml/prolog.h"
#include "common/xml/runtime.h"
#include "tests/fuzz/fuzz.h"

namespace {

using crnpd::fuzz::require;
using crnpd::xml::MessageEnd;
using crnpd::xml::Prolog;
using Verdict = MessageEnd::Verdict;
using xercesc::XMLUni;

class Faults final : public xercesc::DefaultHandler {
public:
    void error(const xercesc::SAXParseException& /*fault*/) override { found = true; }
    void fatalError(const xercesc::SAXParseException& /*fault*/) override { found = true; }
    bool found = false;
};

// Behind the root Xerces takes a character that is cut off for the end of the document. Also one whose first
// byte announces more bytes than UTF-8 knows, up to eight for 0xFF, and whatever stands in their place.
bool endsInHalfACharacter(std::string_view document, const Prolog& prolog) {
    if (prolog.encoding != Prolog::Encoding::bytes) return false;
    if (static_cast<unsigned char>(document.back()) >= 0x80) return true;
    const auto last = document.substr(document.size() - std::min<std::size_t>(document.size(), 7));
    for (std::size_t at = 0; at < last.size(); ++at) {
        const auto announced =
            static_cast<std::size_t>(std::countl_one(static_cast<unsigned char>(last[at])));
        if (announced > last.size() - at) return true;
    }
    return false;
}

// A parser with everything that ours leaves out: internal subsets and their entities.
bool isWellFormed(std::string_view document, const Prolog& prolog) {
    xercesc::SAX2XMLReaderImpl parser;
    Faults faults;
    xercesc::SecurityManager limits;
    limits.setEntityExpansionLimit(50);
    parser.setFeature(XMLUni::fgSAX2CoreNameSpaces, false);
    parser.setFeature(XMLUni::fgSAX2CoreValidation, false);
    parser.setFeature(XMLUni::fgXercesLoadExternalDTD, false);
    parser.setFeature(XMLUni::fgXercesDisableDefaultEntityResolution, true);
    parser.setProperty(XMLUni::fgXercesSecurityManager, &limits);
    parser.setErrorHandler(&faults);
    xercesc::MemBufInputSource source(reinterpret_cast<const XMLByte*>(document.data()), document.size(),
                                      u"fuzz");
    if (prolog.encoding != Prolog::Encoding::bytes && !prolog.byteOrderMark) {
        source.setEncoding(prolog.encoding == Prolog::Encoding::utf16le ? u"UTF-16LE" : u"UTF-16BE");
    }
    try {
        parser.parse(source);
    } catch (const xercesc::XMLException&) {
        return false;
    } catch (const xercesc::SAXException&) {
        return false;
    }
    return !faults.found;
}

struct Outcome {
    Verdict verdict;
    std::size_t length;
    std::optional<crnpd::Error> error;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome outcomeOf(const MessageEnd& end) {
    std::optional<crnpd::Error> error;
    if (end.verdict() == Verdict::broken || end.verdict() == Verdict::trailingGarbage) error = end.error();
    return {end.verdict(), end.length(), error};
}

// In pieces whose lengths come from the document.
Outcome fedInPieces(std::string_view document) {
    MessageEnd end;
    std::size_t at = 0;
    while (at < document.size()) {
        const std::size_t length = 1 + static_cast<unsigned char>(document[at]) % 17;
        end.feed(document.substr(at, length));
        at += length;
    }
    return outcomeOf(end);
}

// Where the root was closed, by feeding one byte after another.
std::size_t rootEnd(std::string_view document, MessageEnd& end) {
    std::size_t closed = 0;
    for (std::size_t i = 0; i < document.size(); ++i) {
        const bool complete = end.feed(document.substr(i, 1)) == Verdict::complete;
        if (complete && closed == 0) closed = i + 1;
    }
    return closed;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const crnpd::xml::Runtime runtime;
    const auto document = crnpd::fuzz::textOf(data, size);
    MessageEnd whole;
    whole.feed(document);
    const Outcome outcome = outcomeOf(whole);
    MessageEnd slow;
    const std::size_t closed = rootEnd(document, slow);
    require(outcomeOf(slow) == outcome, "byte by byte and at once are the same");
    require(fedInPieces(document) == outcome, "in pieces and at once are the same");
    require(outcome.length <= size, "a document is no longer than what was fed");

    // What the reader refuses for its encoding or a NUL, Xerces may take in its own way.
    const auto prolog = crnpd::xml::readProlog(document);
    if (!prolog || endsInHalfACharacter(document, *prolog) || !isWellFormed(document, *prolog)) return 0;
    require(whole.finish() == Verdict::complete, "the end of a well-formed document is found");
    require(whole.length() == size, "all of a well-formed document belongs to it");
    const std::size_t unit = prolog->encoding == Prolog::Encoding::bytes ? 1 : 2;
    require(isWellFormed(document.substr(0, closed), *prolog), "the end is not found too early");
    require(!isWellFormed(document.substr(0, closed - unit), *prolog), "the end is not found too late");
    return 0;
}
