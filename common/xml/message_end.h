// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Finds where a message ends: with the end tag (or "/>") of the root element, however the reads split it
// (section 2 of docs/protocol.md, "Framing").
//
//     switch (end.feed(bytesJustRead)) {
//         case needMore:        read on
//         case complete:        the first end.length() bytes are the document: give them to
//         RegistrationReader case trailingGarbage: case broken:          answer end.error()
//     }
//
// Promise    For every well-formed document `complete` comes with its last byte, not before and not
//            later. `broken` is said only of bytes that no continuation can make well-formed; where this
//            scanner is not sure it goes on and leaves the verdict to the reader. `complete` therefore
//            does not mean well-formed.
// Cost       O(n) in all, also byte by byte; no allocation; well below 1 µs for a usual message. Nesting
//            is only counted, so a deep document costs no memory here.
// Encodings  UTF-8, ISO-8859-1, US-ASCII, UTF-16 of both byte orders with or without a byte order mark.
// Threads    One object belongs to one connection; no sharing.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/result.h"

namespace crnpd::xml {

class MessageEnd {
public:
    enum class Verdict : std::uint8_t {
        needMore,         // the root element is still open
        complete,         // it is closed, and what has come since is harmless
        trailingGarbage,  // something else than white space, comments and processing instructions follows
        broken,           // this can never become a document
    };

    // Takes the next bytes. After `complete` it may be called again with bytes that arrived in the
    // meantime; after the other two final verdicts it changes nothing.
    Verdict feed(std::string_view bytes) noexcept;

    // No more bytes will come (the client shut its side): what is unfinished becomes `broken`, or
    // `trailingGarbage` if it stands behind the root.
    Verdict finish() noexcept;

    [[nodiscard]] Verdict verdict() const noexcept { return verdict_; }

    // When complete: the bytes from the first one fed up to the end of the root, or of the last harmless
    // thing behind it that is itself complete. Bytes after that are an unfinished comment or the like.
    [[nodiscard]] std::size_t length() const noexcept { return length_; }

    // The attributes of the element that has most of them.
    [[nodiscard]] std::size_t mostAttributes() const noexcept { return mostAttributes_; }

    // When trailingGarbage or broken: always ErrorCode::malformed.
    [[nodiscard]] Error error() const;

    // Ready for the first byte of the next document.
    void reset() noexcept { *this = MessageEnd(); }

private:
    enum class State : std::uint8_t {
        outside,  // before the root or behind it
        text,
        lessThan,
        bang,
        commentOpens,
        comment,
        commentDash,
        commentDashes,
        cdataOpens,
        cdata,
        cdataBracket,
        cdataBrackets,
        doctypeOpens,
        doctype,
        doctypeQuote,
        doctypeEnds,
        subset,
        subsetLessThan,
        subsetBang,
        declaration,
        declarationQuote,
        instruction,
        instructionQuestion,
        startName,
        tag,
        value,
        emptyTag,
        endNameFirst,
        endName,
        endTag,
    };
    enum class Encoding : std::uint8_t { unknown, bytes, utf16le, utf16be };

    // How many levels remember a hash of their name, so that an end tag that cannot fit is seen at once:
    // the client would otherwise wait for its answer until the time for a message is over.
    static constexpr std::size_t remembered = 16;
    // Weak and quick: two names with the same hash are merely left to the reader.
    static std::uint32_t hashed(std::uint32_t hash, unsigned unit) noexcept {
        return std::rotl(hash, 3) + unit;
    }

    static constexpr std::string_view cdataOpening = "[CDATA[";
    static const char* const notXml;

    const char* feedBytes(const char* at, const char* end) noexcept;
    void feedUnits(const char* at, const char* end) noexcept;
    const char* skip(const char* at, const char* end) noexcept;
    const char* skipWord(const char* at, const char* end) noexcept;
    const char* skipName(const char* at, const char* end) noexcept;
    const char* skipAttributes(const char* at, const char* end) noexcept;
    void recognise(unsigned byte) noexcept;

    void step(unsigned unit) noexcept;
    void stepTag(unsigned unit) noexcept;
    void stepDoctype(unsigned unit) noexcept;
    void stepSection(unsigned unit) noexcept;
    void stepMarkup(unsigned unit) noexcept;
    void beginValue(unsigned quote) noexcept;
    void inName(unsigned unit) noexcept;
    void inTag(unsigned unit) noexcept;
    void expect(unsigned unit, std::string_view word, State next, const char* reason) noexcept;
    void close() noexcept;
    void leaveMarkup() noexcept;
    void refuse(const char* reason) noexcept;

    [[nodiscard]] bool refused() const noexcept { return verdict_ > Verdict::complete; }
    [[nodiscard]] bool idleBehindRoot() const noexcept { return state_ == State::outside && rootClosed_; }

    Verdict verdict_ = Verdict::needMore;
    Encoding encoding_ = Encoding::unknown;
    State state_ = State::outside;
    bool rootClosed_ = false;
    bool doctypeSeen_ = false;
    bool inSubset_ = false;
    std::uint8_t head_ = 0;        // the first bytes of a mark that tells the encoding, or the half of a unit
    std::uint8_t headLength_ = 0;  // how many
    std::uint8_t matched_ = 0;     // characters of "CDATA[" or "DOCTYPE" so far
    std::uint8_t quote_ = 0;
    std::uint32_t hash_ = 0;
    std::array<std::uint32_t, remembered> names_{};
    std::size_t depth_ = 0;
    std::size_t attributes_ = 0;  // of the tag that is open
    std::size_t mostAttributes_ = 0;
    std::size_t fed_ = 0;
    std::size_t length_ = 0;
    unsigned line_ = 1;
    const char* reason_ = nullptr;
};

}  // namespace crnpd::xml
