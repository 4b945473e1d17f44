// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/message_end.h"

#include <bit>
#include <cstring>
#include <string>

namespace crnpd::xml {
namespace {

constexpr const char* notXml =
    "this is not XML: a document begins with \"<\", and only white space, comments and processing "
    "instructions "
    "stand before its root element";
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
constexpr const char* cutOff = "the document ends before the end tag of its root element";

constexpr std::string_view cdataOpening = "[CDATA[";

bool isSpace(unsigned unit) noexcept {
    return unit == ' ' || unit == '\t' || unit == '\n' || unit == '\r';
}

// What begins a name, as far as one unit can tell; the reader knows the rest.
bool mayBeginName(unsigned unit) noexcept {
    return (unit >= 'a' && unit <= 'z') || (unit >= 'A' && unit <= 'Z') || unit == '_' || unit == ':' ||
           unit >= 0x80;
}

// Bytes that cannot change the state inside of a name, of a tag, of an attribute value.
enum Plain : std::uint8_t { plainInName = 1, plainInTag = 2, plainInValue = 4 };

constexpr std::array<std::uint8_t, 256> plain = [] {
    std::array<std::uint8_t, 256> table{};
    for (std::size_t byte = 1; byte < table.size(); ++byte) {
        const std::size_t letter = byte | 0x20U;
        const bool name = (letter >= 'a' && letter <= 'z') || byte == '_' || (byte >= '0' && byte <= '9');
        const bool mark = byte == '<' || byte == '"' || byte == '\'';
        const bool tagEnd = byte == '>' || byte == '/';
        if (name) table[byte] |= plainInName;
        if (!mark && !tagEnd) table[byte] |= plainInTag;
        if (!mark) table[byte] |= plainInValue;
    }
    return table;
}();

// Weak and quick: two names with the same hash are merely left to the reader.
std::uint32_t hashed(std::uint32_t hash, unsigned unit) noexcept {
    return std::rotl(hash, 3) + unit;
}

bool is(Plain what, char byte) noexcept {
    return (plain[static_cast<unsigned char>(byte)] & what) != 0;
}

unsigned countLines(const char* at, const char* end) noexcept {
    unsigned lines = 0;
    while (at != end) {
        const void* const found = std::memchr(at, '\n', static_cast<std::size_t>(end - at));
        if (found == nullptr) break;
        ++lines;
        at = static_cast<const char*>(found) + 1;
    }
    return lines;
}

// Where `wanted` stands, or `end`.
const char* firstOf(const char* at, const char* end, char wanted) noexcept {
    if (at == end || *at == wanted) return at;
    const void* const found = std::memchr(at, wanted, static_cast<std::size_t>(end - at));
    return found == nullptr ? end : static_cast<const char*>(found);
}

}  // namespace

MessageEnd::Verdict MessageEnd::feed(std::string_view bytes) noexcept {
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    while (encoding_ == Encoding::unknown && at != end && !refused()) {
        if (*at == '\n') ++line_;
        recognise(static_cast<unsigned char>(*at++));
        ++fed_;
    }
    if (refused()) return verdict_;

    if (encoding_ == Encoding::bytes) {
        const char* const stop = feedBytes(at, end);
        line_ += countLines(at, stop);
        at = stop;
    } else if (encoding_ != Encoding::unknown) {
        feedUnits(at, end);
    }
    return verdict_;
}

MessageEnd::Verdict MessageEnd::finish() noexcept {
    if (refused()) return verdict_;
    if (verdict_ == Verdict::needMore) refuse(cutOff);
    if (verdict_ == Verdict::complete && length_ != fed_) refuse(behindRoot);
    return verdict_;
}

Error MessageEnd::error() const {
    return {ErrorCode::malformed, reason_ == nullptr ? "" : std::string(reason_), line_};
}

// The first bytes tell the encoding: a byte order mark, or how "<" is written.
void MessageEnd::recognise(unsigned byte) noexcept {
    if (headLength_ == 0) {
        if (byte == 0xEF || byte == 0xFE || byte == 0xFF || byte == 0 || byte == '<') {
            head_ = static_cast<std::uint8_t>(byte);
            headLength_ = 1;
        } else {
            encoding_ = Encoding::bytes;
            step(byte);
        }
        return;
    }
    const unsigned mark = unsigned{head_} << 8U | byte;
    headLength_ = 0;
    switch (mark) {
        case 0xFEFF:
            encoding_ = Encoding::utf16be;
            return;
        case 0xFFFE:
            encoding_ = Encoding::utf16le;
            return;
        case 0x003C:
            encoding_ = Encoding::utf16be;
            return step('<');
        case 0x3C00:
            encoding_ = Encoding::utf16le;
            return step('<');
        case 0xEFBB:
            head_ = 0xBB;
            headLength_ = 1;
            return;
        case 0xBBBF:
            encoding_ = Encoding::bytes;
            return;
        default:
            break;
    }
    if (head_ != '<') return refuse(notXml);
    encoding_ = Encoding::bytes;
    step('<');
    step(byte);
}

// Returns where it stopped: at the end, or behind the byte that it refused.
const char* MessageEnd::feedBytes(const char* at, const char* end) noexcept {
    const std::size_t before = fed_;
    const char* const begin = at;
    while (at != end && !refused()) {
        at = skip(at, end);
        if (at == end) break;
        step(static_cast<unsigned char>(*at++));
        if (idleBehindRoot()) length_ = before + static_cast<std::size_t>(at - begin);
    }
    fed_ = before + static_cast<std::size_t>(at - begin);
    return at;
}

const char* MessageEnd::feedUnits(const char* at, const char* end) noexcept {
    while (at != end && !refused()) {
        const auto byte = static_cast<unsigned char>(*at++);
        ++fed_;
        if (headLength_ == 0) {
            head_ = byte;
            headLength_ = 1;
            continue;
        }
        headLength_ = 0;
        const bool bigEndian = encoding_ == Encoding::utf16be;
        const unsigned unit = bigEndian ? unsigned{head_} << 8U | byte : unsigned{byte} << 8U | head_;
        if (unit == '\n') ++line_;
        step(unit);
        if (idleBehindRoot()) length_ = fed_;
    }
    return at;
}

// What most of a message consists of and cannot change the state is passed over without a step for each byte.
// A NUL stops everywhere.
const char* MessageEnd::skip(const char* at, const char* end) noexcept {
    switch (state_) {
        case State::text:
            end = firstOf(at, end, '<');
            break;
        case State::comment:
            end = firstOf(at, end, '-');
            break;
        case State::cdata:
            end = firstOf(at, end, ']');
            break;
        case State::cdataOpens:
            return skipWord(at, end);
        case State::instruction:
            end = firstOf(at, end, '?');
            break;
        case State::tag:
        case State::value:
            return skipAttributes(at, end);
        case State::startName:
        case State::endName:
            return skipName(at, end);
        default:
            return at;
    }
    return firstOf(at, end, '\0');
}

// The whole of "CDATA[" at once where it has come in one piece.
const char* MessageEnd::skipWord(const char* at, const char* end) noexcept {
    const std::string_view rest = cdataOpening.substr(matched_);
    if (static_cast<std::size_t>(end - at) < rest.size() || std::memcmp(at, rest.data(), rest.size()) != 0)
        return at;
    state_ = State::cdata;
    return at + rest.size();
}

const char* MessageEnd::skipName(const char* at, const char* end) noexcept {
    std::uint32_t hash = hash_;
    while (at != end && is(plainInName, *at))
        hash = hashed(hash, static_cast<unsigned char>(*at++));
    hash_ = hash;
    return at;
}

const char* MessageEnd::skipAttributes(const char* at, const char* end) noexcept {
    for (;;) {
        if (state_ == State::tag) {
            while (at != end && is(plainInTag, *at))
                ++at;
            if (at == end || (*at != '"' && *at != '\'')) return at;
            beginValue(static_cast<unsigned char>(*at++));
        }
        while (at != end && is(plainInValue, *at))
            ++at;
        if (at == end || static_cast<std::uint8_t>(*at) != quote_) return at;
        ++at;
        state_ = State::tag;
    }
}

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
