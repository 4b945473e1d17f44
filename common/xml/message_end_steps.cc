// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What each byte or unit means, state by state. message_end.cc has the bytes and how they are fed.
#include "common/xml/message_end.h"

namespace crnpd::xml {
namespace {

constexpr const char* behindRoot =
    "something follows the end of the root element: one connection carries one document and nothing else";
constexpr const char* nulInside = "a NUL stands in the document: XML has no such character";
constexpr const char* strayMarkup =
    "\"<\" begins neither a tag, a comment, a CDATA section nor a processing instruction; in text it is "
    "written &lt;";
constexpr const char* lessThanInTag =
    "\"<\" stands inside of a tag: is a \">\" or a closing quote missing before it?";
constexpr const char* noAttribute = "after the name of an element comes white space, \"/>\" or \">\"";
constexpr const char* slashInTag = "\"/\" in a tag is followed by \">\"";
constexpr const char* strayEndTag = "an end tag stands where no element is open";
constexpr const char* otherEndTag = "an end tag has another name than the element that is open here";
constexpr const char* badEndTag = "an end tag is \"</\", the name of the element and \">\"";
constexpr const char* doubleDash = "\"--\" in a comment is followed by \">\"";
constexpr const char* badDoctype = "the DOCTYPE declaration is not well-formed, or not in its place";

bool isSpace(unsigned unit) noexcept {
    return unit == ' ' || unit == '\t' || unit == '\n' || unit == '\r';
}

// What begins a name, as far as one unit can tell; the reader knows the rest.
bool mayBeginName(unsigned unit) noexcept {
    return (unit >= 'a' && unit <= 'z') || (unit >= 'A' && unit <= 'Z') || unit == '_' || unit == ':' ||
           unit >= 0x80;
}

}  // namespace

const char* const MessageEnd::notXml =
    "this is not XML: a document begins with \"<\", and only white space, comments and processing "
    "instructions stand before its root element";

void MessageEnd::step(unsigned unit) noexcept {
    if (unit == 0) return refuse(nulInside);
    switch (state_) {
        case State::outside:
            if (unit == '<') {
                state_ = State::lessThan;
            } else if (!isSpace(unit)) {
                refuse(notXml);
            }
            return;
        case State::text:
            if (unit == '<') state_ = State::lessThan;
            return;
        case State::startName:
        case State::tag:
        case State::value:
        case State::emptyTag:
        case State::endNameFirst:
        case State::endName:
        case State::endTag:
            return stepTag(unit);
        case State::lessThan:
        case State::bang:
        case State::commentOpens:
        case State::cdataOpens:
        case State::doctypeOpens:
            return stepMarkup(unit);
        case State::doctype:
        case State::doctypeQuote:
        case State::doctypeEnds:
        case State::subset:
        case State::subsetLessThan:
        case State::subsetBang:
        case State::declaration:
        case State::declarationQuote:
            return stepDoctype(unit);
        default:
            return stepSection(unit);
    }
}

void MessageEnd::stepTag(unsigned unit) noexcept {
    switch (state_) {
        case State::value:
            if (unit == quote_) {
                state_ = State::tag;
            } else if (unit == '<') {
                refuse(lessThanInTag);
            }
            return;
        case State::startName:
            return inName(unit);
        case State::tag:
            return inTag(unit);
        case State::emptyTag:
            if (unit != '>') return refuse(slashInTag);
            if (depth_ == 0) return close();
            state_ = State::text;
            return;
        case State::endNameFirst:
            if (!mayBeginName(unit)) return refuse(badEndTag);
            hash_ = unit;
            state_ = State::endName;
            return;
        case State::endName:
            if (unit == '>') return close();
            if (isSpace(unit)) {
                state_ = State::endTag;
            } else if (unit == '<') {
                refuse(badEndTag);
            } else {
                hash_ = hashed(hash_, unit);
            }
            return;
        default:  // endTag
            if (unit == '>') return close();
            if (!isSpace(unit)) refuse(badEndTag);
            return;
    }
}

void MessageEnd::inName(unsigned unit) noexcept {
    if (unit > '>' || (unit >= '0' && unit <= ':') || unit == '-' || unit == '.') {
        hash_ = hashed(hash_, unit);
        return;
    }
    if (depth_ < remembered) names_[depth_] = hash_;
    state_ = State::tag;
    if (unit != '>' && unit != '/' && !isSpace(unit))
        return refuse(unit == '<' ? lessThanInTag : noAttribute);
    inTag(unit);
}

void MessageEnd::beginValue(unsigned quote) noexcept {
    quote_ = static_cast<std::uint8_t>(quote);
    state_ = State::value;
    if (++attributes_ > mostAttributes_) mostAttributes_ = attributes_;
}

void MessageEnd::inTag(unsigned unit) noexcept {
    switch (unit) {
        case '"':
        case '\'':
            return beginValue(unit);
        case '/':
            state_ = State::emptyTag;
            return;
        case '>':
            ++depth_;
            state_ = State::text;
            return;
        case '<':
            return refuse(lessThanInTag);
        default:
            return;
    }
}

// Behind "<": which kind of markup it is, and whether it may stand here.
void MessageEnd::stepMarkup(unsigned unit) noexcept {
    switch (state_) {
        case State::lessThan:
            if (unit == '!') {
                state_ = State::bang;
            } else if (unit == '?') {
                state_ = State::instruction;
            } else if (unit == '/') {
                if (depth_ == 0) return refuse(strayEndTag);
                state_ = State::endNameFirst;
            } else if (rootClosed_ || !mayBeginName(unit)) {
                refuse(strayMarkup);
            } else {
                hash_ = unit;
                attributes_ = 0;
                state_ = State::startName;
            }
            return;
        case State::bang:
            matched_ = 1;
            if (unit == '-') {
                state_ = State::commentOpens;
            } else if (unit == '[' && depth_ > 0) {
                state_ = State::cdataOpens;
            } else if (unit == 'D') {
                if (depth_ > 0 || rootClosed_ || doctypeSeen_) return refuse(badDoctype);
                doctypeSeen_ = true;
                state_ = State::doctypeOpens;
            } else {
                refuse(strayMarkup);
            }
            return;
        case State::commentOpens:
            return expect(unit, "--", State::comment, strayMarkup);
        case State::cdataOpens:
            return expect(unit, cdataOpening, State::cdata, strayMarkup);
        default:
            return expect(unit, "DOCTYPE", State::doctype, badDoctype);
    }
}

void MessageEnd::expect(unsigned unit, std::string_view word, State next, const char* reason) noexcept {
    if (unit != static_cast<unsigned char>(word[matched_])) return refuse(reason);
    if (++matched_ == word.size()) state_ = next;
}

// Inside of a comment, a CDATA section or a processing instruction.
void MessageEnd::stepSection(unsigned unit) noexcept {
    switch (state_) {
        case State::comment:
            if (unit == '-') state_ = State::commentDash;
            return;
        case State::commentDash:
            state_ = unit == '-' ? State::commentDashes : State::comment;
            return;
        case State::commentDashes:
            return unit == '>' ? leaveMarkup() : refuse(doubleDash);
        case State::cdata:
            if (unit == ']') state_ = State::cdataBracket;
            return;
        case State::cdataBracket:
            state_ = unit == ']' ? State::cdataBrackets : State::cdata;
            return;
        case State::cdataBrackets:
            if (unit == '>') return leaveMarkup();
            if (unit != ']') state_ = State::cdata;
            return;
        case State::instruction:
            if (unit == '?') state_ = State::instructionQuestion;
            return;
        default:  // instructionQuestion
            if (unit == '>') return leaveMarkup();
            if (unit != '?') state_ = State::instruction;
            return;
    }
}

// A document with an internal subset is refused by the reader, but its end must be found first.
void MessageEnd::stepDoctype(unsigned unit) noexcept {
    const bool isQuote = unit == '"' || unit == '\'';
    switch (state_) {
        case State::doctypeQuote:
        case State::declarationQuote:
            if (unit == quote_) state_ = state_ == State::doctypeQuote ? State::doctype : State::declaration;
            return;
        case State::doctype:
        case State::declaration:
            if (isQuote) {
                quote_ = static_cast<std::uint8_t>(unit);
                state_ = state_ == State::doctype ? State::doctypeQuote : State::declarationQuote;
            } else if (unit == '>') {
                leaveMarkup();
            } else if (unit == '<') {
                refuse(badDoctype);
            } else if (unit == '[' && state_ == State::doctype) {
                inSubset_ = true;
                state_ = State::subset;
            }
            return;
        case State::subset:
            if (unit == '<') state_ = State::subsetLessThan;
            if (unit == ']') {
                inSubset_ = false;
                state_ = State::doctypeEnds;
            }
            return;
        case State::subsetLessThan:
            if (unit != '!' && unit != '?') return refuse(badDoctype);
            state_ = unit == '!' ? State::subsetBang : State::instruction;
            return;
        case State::subsetBang:
            if (!mayBeginName(unit) && unit != '-') return refuse(badDoctype);
            matched_ = 1;
            state_ = unit == '-' ? State::commentOpens : State::declaration;
            return;
        default:  // doctypeEnds
            if (unit == '>') return leaveMarkup();
            if (!isSpace(unit)) refuse(badDoctype);
            return;
    }
}

// The end of one element with content, or of an empty root.
void MessageEnd::close() noexcept {
    if (depth_ > 0) {
        --depth_;
        if (depth_ < remembered && names_[depth_] != hash_) return refuse(otherEndTag);
    }
    if (depth_ == 0) {
        rootClosed_ = true;
        verdict_ = Verdict::complete;
    }
    leaveMarkup();
}

void MessageEnd::leaveMarkup() noexcept {
    state_ = inSubset_ ? State::subset : depth_ > 0 ? State::text : State::outside;
}

void MessageEnd::refuse(const char* reason) noexcept {
    verdict_ = rootClosed_ ? Verdict::trailingGarbage : Verdict::broken;
    reason_ = rootClosed_ ? behindRoot : reason;
}

}  // namespace crnpd::xml
