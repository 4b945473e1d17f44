// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/prolog.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/xml/text.h"

namespace crnpd::xml {
namespace {

using Encoding = Prolog::Encoding;

constexpr std::string_view allowedEncodings = "allowed are UTF-8, UTF-16, ISO-8859-1 and US-ASCII";

bool isSpace(unsigned unit) noexcept {
    return unit == ' ' || unit == '\t' || unit == '\n' || unit == '\r';
}

bool isNameStart(unsigned unit) noexcept {
    return (unit >= 'a' && unit <= 'z') || (unit >= 'A' && unit <= 'Z') || unit == '_' || unit == ':' ||
           unit >= 0x80;
}

bool isNameUnit(unsigned unit) noexcept {
    return isNameStart(unit) || (unit >= '0' && unit <= '9') || unit == '-' || unit == '.';
}

bool isPublicIdUnit(unsigned unit) noexcept {
    constexpr std::string_view marks = " \r\n-'()+,./:=?;!*#@$_%";
    const bool alphanumeric =
        (unit >= 'a' && unit <= 'z') || (unit >= 'A' && unit <= 'Z') || (unit >= '0' && unit <= '9');
    return alphanumeric || (unit < 0x80 && marks.find(static_cast<char>(unit)) != std::string_view::npos);
}

// Code units of the document one after another; 0 at the end (a NUL is in no document).
class Units {
public:
    Units(std::string_view document, Encoding encoding, std::size_t at)
        : document_(document), encoding_(encoding), width_(encoding == Encoding::bytes ? 1 : 2), at_(at) {}

    [[nodiscard]] unsigned peek(std::size_t ahead = 0) const noexcept {
        const std::size_t at = at_ + ahead * width_;
        if (at + width_ > document_.size()) return 0;
        const unsigned first = static_cast<unsigned char>(document_[at]);
        if (encoding_ == Encoding::bytes) return first;
        const unsigned second = static_cast<unsigned char>(document_[at + 1]);
        return encoding_ == Encoding::utf16be ? first << 8U | second : second << 8U | first;
    }

    unsigned take() noexcept {
        const unsigned unit = peek();
        if (unit == '\n') ++line_;
        if (unit != 0) at_ += width_;
        return unit;
    }

    [[nodiscard]] bool sees(std::string_view word) const noexcept {
        for (std::size_t i = 0; i < word.size(); ++i) {
            if (peek(i) != static_cast<unsigned char>(word[i])) return false;
        }
        return true;
    }

    bool takeIf(std::string_view word) noexcept {
        if (!sees(word)) return false;
        for (std::size_t i = 0; i < word.size(); ++i)
            take();
        return true;
    }

    bool takeSpace() noexcept {
        const std::size_t before = at_;
        while (isSpace(peek()))
            take();
        return at_ != before;
    }

    // Behind the next `word`; false if there is none.
    bool takePast(std::string_view word) noexcept {
        while (peek() != 0) {
            if (takeIf(word)) return true;
            take();
        }
        return false;
    }

    [[nodiscard]] std::size_t offset() const noexcept { return at_; }
    [[nodiscard]] unsigned line() const noexcept { return line_; }

private:
    std::string_view document_;
    Encoding encoding_;
    std::size_t width_;
    std::size_t at_;
    unsigned line_ = 1;
};

Error malformed(std::string text, unsigned line) {
    return {ErrorCode::malformed, std::move(text), line};
}

struct Mark {
    std::string_view bytes;
    Encoding encoding;
    bool byteOrderMark;
};

using namespace std::string_view_literals;
constexpr std::array<Mark, 5> marks{{
    {"\xEF\xBB\xBF"sv, Encoding::bytes, true},
    {"\xFE\xFF"sv, Encoding::utf16be, true},
    {"\xFF\xFE"sv, Encoding::utf16le, true},
    {"\0<"sv, Encoding::utf16be, false},
    {"<\0"sv, Encoding::utf16le, false},
}};

std::string upper(std::string text) {
    for (char& c : text) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return text;
}

bool isAllowed(const std::string& name, Encoding encoding) {
    constexpr std::array wide{"UTF-16", "UTF-16LE", "UTF-16BE"};
    constexpr std::array narrow{"UTF-8", "ISO-8859-1", "ISO_8859-1", "LATIN1", "US-ASCII", "ASCII"};
    const std::string wanted = upper(name);
    if (encoding == Encoding::bytes) return std::find(narrow.begin(), narrow.end(), wanted) != narrow.end();
    if (wanted == "UTF-16LE") return encoding == Encoding::utf16le;
    if (wanted == "UTF-16BE") return encoding == Encoding::utf16be;
    return std::find(wide.begin(), wide.end(), wanted) != wide.end();
}

// The value if `name`, "=" and a quoted value come next. What was begun is taken in any case.
std::optional<std::string> takeSetting(Units& units, std::string_view name) {
    if (!units.takeIf(name)) return std::nullopt;
    units.takeSpace();
    if (!units.takeIf("=")) return std::nullopt;
    units.takeSpace();
    const unsigned quote = units.peek();
    if (quote != '"' && quote != '\'') return std::nullopt;
    units.take();
    std::string value;
    while (units.peek() != 0 && units.peek() != quote && units.peek() != '>') {
        const unsigned unit = units.take();
        value += unit < 0x80 ? static_cast<char>(unit) : '?';
    }
    return value;
}

Error refusedEncoding(const std::string& name, Encoding encoding, unsigned line) {
    if (isAllowed(name, encoding == Encoding::bytes ? Encoding::utf16le : Encoding::bytes)) {
        return malformed(
            "the encoding " + quoted(name) + " is declared, but the document is not written in it", line);
    }
    return malformed("the encoding " + quoted(name) + " is not supported: " + std::string(allowedEncodings),
                     line);
}

// Every version="…" and encoding="…" in the XML declaration. A well-formed one has no more than one of each;
// the parser says so. XML 1.1 is another language (other names, other characters, other line ends), so that a
// document in it is not a well-formed document of the one that is spoken here; and Xerces, once it has seen
// one, reads the next document with other eyes.
std::optional<Error> checkDeclaration(Units& units, Encoding encoding) {
    while (units.peek() != 0 && !units.takeIf("?>")) {
        if (units.peek() != 'v' && units.peek() != 'e') {
            units.take();
        } else if (const auto version = takeSetting(units, "version")) {
            if (*version != "1.0") return malformed("only XML version 1.0 is supported", units.line());
        } else if (const auto name = takeSetting(units, "encoding")) {
            if (!isAllowed(*name, encoding)) return refusedEncoding(*name, encoding, units.line());
        } else {
            units.take();
        }
    }
    return std::nullopt;
}

// The length of an XML declaration that stands at the beginning as nearly every program writes it; 0 for any
// other. What follows must not look to the parser like a mark of an encoding or like another declaration.
std::size_t redundantDeclaration(std::string_view document) noexcept {
    constexpr std::array usual{R"(<?xml version="1.0" encoding="UTF-8"?>)"sv, R"(<?xml version="1.0"?>)"sv,
                               R"(<?xml version="1.0" encoding="UTF-8" standalone="no"?>)"sv};
    for (const std::string_view declaration : usual) {
        if (!document.starts_with(declaration)) continue;
        const auto rest = document.substr(declaration.size());
        const bool plain =
            !rest.empty() && (rest.front() == '<' || isSpace(static_cast<unsigned char>(rest.front())));
        return plain && !rest.starts_with("<?xml") ? declaration.size() : 0;
    }
    return 0;
}

bool takeLiteral(Units& units, bool publicId) {
    const unsigned quote = units.peek();
    if (quote != '"' && quote != '\'') return false;
    units.take();
    while (units.peek() != quote) {
        const unsigned unit = units.take();
        if (unit == 0 || (publicId && !isPublicIdUnit(unit))) return false;
    }
    units.take();
    return true;
}

bool takeExternalId(Units& units) {
    const bool publicId = units.takeIf("PUBLIC");
    if (!publicId && !units.takeIf("SYSTEM")) return false;
    if (!units.takeSpace() || !takeLiteral(units, publicId)) return false;
    return !publicId || (units.takeSpace() && takeLiteral(units, false));
}

// Behind "[" up to behind "]", minding what may hide a bracket.
bool takeSubset(Units& units) {
    unsigned quote = 0;
    bool inDeclaration = false;
    for (;;) {
        if (quote == 0 && units.takeIf("<!--")) {
            if (!units.takePast("-->")) return false;
            continue;
        }
        if (quote == 0 && units.takeIf("<?")) {
            if (!units.takePast("?>")) return false;
            continue;
        }
        const unsigned unit = units.take();
        if (unit == 0) return false;
        if (quote != 0) {
            if (unit == quote) quote = 0;
        } else if (inDeclaration) {
            if (unit == '"' || unit == '\'') quote = unit;
            if (unit == '>') inDeclaration = false;
        } else if (unit == '<') {
            inDeclaration = true;
        } else if (unit == ']') {
            return true;
        }
    }
}

// Behind "<!DOCTYPE".
bool takeDoctype(Units& units, Prolog& prolog) {
    if (!units.takeSpace() || !isNameStart(units.peek())) return false;
    while (isNameUnit(units.peek()))
        units.take();
    const bool space = units.takeSpace();
    if (units.peek() == 'S' || units.peek() == 'P') {
        if (!space || !takeExternalId(units)) return false;
        units.takeSpace();
    }
    if (units.takeIf("[")) {
        prolog.internalSubset = true;
        if (!takeSubset(units)) return false;
        units.takeSpace();
    }
    return units.takeIf(">");
}

// Xerces takes a NUL behind the root for the end of the document.
const char* findNul(std::string_view document) {
    return static_cast<const char*>(std::memchr(document.data(), 0, document.size()));
}

// Also half a unit behind the root, and it misses a lone surrogate here and there.
const char* findNoCharacter(std::string_view document, Encoding encoding) {
    bool pairOpen = false;
    for (Units units(document, encoding, 0); units.offset() + 1 < document.size();) {
        const char* const at = document.data() + units.offset();
        const unsigned unit = units.take();
        const bool low = unit >= 0xDC00 && unit <= 0xDFFF;
        if (unit == 0 || low != pairOpen) return at;
        pairOpen = unit >= 0xD800 && unit <= 0xDBFF;
    }
    return pairOpen || document.size() % 2 != 0 ? &document.back() : nullptr;
}

std::optional<Error> checkCharacters(std::string_view document, Encoding encoding) {
    if (document.empty()) return std::nullopt;
    const bool bytes = encoding == Encoding::bytes;
    const char* const found = bytes ? findNul(document) : findNoCharacter(document, encoding);
    if (found == nullptr) return std::nullopt;
    const auto line = static_cast<unsigned>(std::count(document.data(), found, '\n')) + 1;
    return malformed(bytes ? "a NUL stands in the document: XML has no such character"
                           : "a NUL, or half a UTF-16 character, stands in the document",
                     line);
}

}  // namespace

Result<Prolog> readProlog(std::string_view document) {
    Prolog prolog;
    std::size_t begin = 0;
    for (const Mark& mark : marks) {
        if (!document.starts_with(mark.bytes)) continue;
        prolog.encoding = mark.encoding;
        prolog.byteOrderMark = mark.byteOrderMark;
        if (mark.byteOrderMark) begin = mark.bytes.size();
        break;
    }
    if (auto refused = checkCharacters(document, prolog.encoding)) return *std::move(refused);
    prolog.redundant = redundantDeclaration(document);
    Units units(document, prolog.encoding, begin + prolog.redundant);
    if (prolog.redundant == 0 && units.peek() != '<' && !isSpace(units.peek())) {
        return malformed("this is not XML in an encoding that is supported: it does not begin with \"<\"; " +
                             std::string(allowedEncodings),
                         1);
    }
    if (prolog.redundant == 0 && units.sees("<?xml") && isSpace(units.peek(5))) {
        if (auto refused = checkDeclaration(units, prolog.encoding)) return *std::move(refused);
    }
    for (;;) {
        units.takeSpace();
        if (units.takeIf("<!--")) {
            units.takePast("-->");
        } else if (units.takeIf("<?")) {
            units.takePast("?>");
        } else if (units.sees("<!DOCTYPE")) {
            if (prolog.hasDoctype()) return malformed("a second DOCTYPE declaration", units.line());
            prolog.doctypeBegin = units.offset();
            prolog.doctypeLine = units.line();
            units.takeIf("<!DOCTYPE");
            if (!takeDoctype(units, prolog)) {
                return malformed("the DOCTYPE declaration is not well-formed", units.line());
            }
            prolog.doctypeEnd = units.offset();
        } else {
            return prolog;
        }
    }
}

void blankDoctype(std::string_view document, const Prolog& prolog, std::string& out) {
    out.assign(document);
    const std::size_t width = prolog.encoding == Encoding::bytes ? 1 : 2;
    const std::size_t low = prolog.encoding == Encoding::utf16be ? 1 : 0;
    for (std::size_t at = prolog.doctypeBegin; at < prolog.doctypeEnd; at += width) {
        const bool plain = width == 1 || out[at + 1 - low] == '\0';
        if (plain && (out[at + low] == '\n' || out[at + low] == '\r')) continue;
        if (width == 2) out[at + 1 - low] = '\0';
        out[at + low] = ' ';
    }
}

}  // namespace crnpd::xml
