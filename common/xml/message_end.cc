// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/message_end.h"

#include <cstring>
#include <string>

namespace crnpd::xml {
namespace {

constexpr const char* cutOff = "the document ends before the end tag of its root element";

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
        line_ += countLines(at, feedBytes(at, end));
    } else if (encoding_ != Encoding::unknown) {
        feedUnits(at, end);
    }
    return verdict_;
}

MessageEnd::Verdict MessageEnd::finish() noexcept {
    if (refused()) return verdict_;
    if (verdict_ == Verdict::needMore) refuse(cutOff);
    if (verdict_ == Verdict::complete && length_ != fed_) refuse(cutOff);
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

void MessageEnd::feedUnits(const char* at, const char* end) noexcept {
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

}  // namespace crnpd::xml
