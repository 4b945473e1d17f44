// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/faults.h"

#include <algorithm>
#include <array>

#include <xercesc/framework/XMLErrorCodes.hpp>

#include "common/xml/text.h"

namespace crnpd::xml {
namespace {

using xercesc::XMLErrs;

struct Words {
    XMLErrs::Codes code;
    std::string_view text;
};

constexpr std::array words{
    Words{XMLErrs::EmptyMainEntity, "the document is empty"},
    Words{XMLErrs::EndedWithTagsOnStack, "the document ends before the end tag of its root element"},
    Words{XMLErrs::UnexpectedEOE, "the document ends inside of a tag, a comment or the like"},
    Words{XMLErrs::NotValidAfterContent,
          "something follows the end of the root element: one connection carries one document and nothing "
          "else"},
    Words{XMLErrs::InvalidDocumentStructure,
          "this is not XML: a document begins with \"<\", and only white space, comments and processing "
          "instructions stand before its root element"},
    Words{XMLErrs::XMLDeclMustBeFirst,
          "the XML declaration <?xml ...?> must be the very first thing in the document"},
    Words{XMLErrs::NoPIStartsWithXML, "no processing instruction may be named \"xml\""},
    Words{XMLErrs::UnsupportedXMLVersion, "only XML version 1.0 is supported"},
    Words{XMLErrs::BadXMLVersion, "only XML version 1.0 is supported"},
    Words{XMLErrs::MoreEndThanStartTags, "an end tag stands where no element is open"},
    Words{XMLErrs::UnterminatedStartTag, "a start tag is not closed by \">\""},
    Words{XMLErrs::UnterminatedComment, "a comment is not closed by \"-->\""},
    Words{XMLErrs::IllegalSequenceInComment, "\"--\" stands in a comment"},
    Words{XMLErrs::UnterminatedCDATASection, "a CDATA section is not closed by \"]]>\""},
    Words{XMLErrs::NestedCDATA, "a CDATA section stands in a CDATA section"},
    Words{XMLErrs::BadSequenceInCharData, "\"]]>\" stands in text; write it as ]]&gt;"},
    Words{XMLErrs::ExpectedCommentOrCDATA, "\"<!\" begins neither a comment nor a CDATA section"},
    Words{XMLErrs::ExpectedEqSign, "the name of an attribute is followed by \"=\" and a value in quotes"},
    Words{XMLErrs::ExpectedAttrValue, "the value of an attribute stands in quotes"},
    Words{XMLErrs::BracketInAttrValue, "\"<\" stands in the value of an attribute; write it as &lt;"},
    Words{XMLErrs::ExpectedEntityRefName, "\"&\" begins no reference; a plain \"&\" is written &amp;"},
    Words{XMLErrs::UnterminatedEntityRef,
          "a reference is not closed by \";\"; a plain \"&\" is written &amp;"},
    Words{XMLErrs::EntityNotFound,
          "only the entities lt, gt, amp, quot and apos and character references exist here"},
    Words{XMLErrs::InvalidCharacterRef, "a character reference names a character that XML does not have"},
    Words{XMLErrs::UnterminatedCharRef, "a character reference is not closed by \";\""},
};

// An exception's text is wrapped: "An exception occurred! Type:UTFDataFormatException, Message:invalid byte 1
// ('x') of …".
std::string_view withoutPreamble(std::string_view text) {
    constexpr std::string_view preamble = "Message:";
    const auto at = text.find(preamble);
    return at == std::string_view::npos ? text : text.substr(at + preamble.size());
}

// Xerces shows the byte, which means little and may be none of any character.
bool isBrokenUtf8(std::string_view text) {
    return text.find("-byte sequence") != std::string_view::npos;
}

// What the client wrote may be part of it.
std::string plain(std::string_view text) {
    const std::string safe = quoted(text, 200);
    return safe.substr(1, safe.size() - 2);
}

}  // namespace

std::string faultText(unsigned code, std::string_view text) {
    const auto* const found = std::find_if(words.begin(), words.end(), [code](const Words& row) {
        return static_cast<unsigned>(row.code) == code;
    });
    if (isBrokenUtf8(text))
        return "a sequence of bytes that is not UTF-8; is another encoding to be declared?";
    return found == words.end() ? plain(withoutPreamble(text)) : std::string(found->text);
}

}  // namespace crnpd::xml
