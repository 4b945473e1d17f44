// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/event_syntax.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "common/xml/text.h"

namespace crnpd::crnpctl {
namespace {

constexpr std::string_view escapable = "\\,=:/";

Error wrong(std::string_view text, const std::string& why) {
    return Error{ErrorCode::invalidArgument, xml::quoted(text, 200) + ": " + why};
}

// Splits at the first `separator` that no backslash precedes. Nothing behind it: no second part.
std::pair<std::string_view, std::optional<std::string_view>> splitFirst(std::string_view text,
                                                                        char separator) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == separator) {
            return {text.substr(0, i), text.substr(i + 1)};
        }
    }
    return {text, std::nullopt};
}

Result<std::string> unescape(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
            if (i == text.size() || escapable.find(text[i]) == std::string_view::npos) {
                return Error{ErrorCode::invalidArgument,
                             R"(a backslash stands before one of \ , = : / only; a backslash itself is \\)"};
            }
        }
        plain += text[i];
    }
    return plain;
}

// Several pairs of one name are the values of one, in the order in which they were typed.
void addValue(std::vector<NvPair>& pairs, std::string name, std::string value) {
    const auto found =
        std::find_if(pairs.begin(), pairs.end(), [&](const NvPair& pair) { return pair.name == name; });
    if (found == pairs.end()) {
        pairs.push_back({std::move(name), {std::move(value)}});
    } else {
        found->values.push_back(std::move(value));
    }
}

Result<void> addPair(std::string_view text, std::vector<NvPair>& pairs) {
    const auto [left, right] = splitFirst(text, '=');
    if (!right) {
        return wrong(text, R"(a pair is NAME=VALUE; a comma inside a value is typed \,)");
    }
    auto name = unescape(left);
    if (!name) return wrong(text, name.error().text);
    auto value = unescape(*right);
    if (!value) return wrong(text, value.error().text);
    if (name->empty()) return wrong(text, "the NAME is missing before '='");
    addValue(pairs, *std::move(name), *std::move(value));
    return {};
}

Result<std::vector<NvPair>> parsePairs(std::string_view text) {
    std::vector<NvPair> pairs;
    for (std::optional<std::string_view> rest = text; rest;) {
        const auto [pair, behind] = splitFirst(*rest, ',');
        if (const auto parsed = addPair(pair, pairs); !parsed) return parsed.error();
        rest = behind;
    }
    return pairs;
}

// `special` are the characters that would end the text where it stands.
void appendEscaped(std::string& out, std::string_view text, std::string_view special) {
    for (const char byte : text) {
        if (byte == '\\' || special.find(byte) != std::string_view::npos) out += '\\';
        out += byte;
    }
}

}  // namespace

Result<EventRegistration> parseEvent(std::string_view text) {
    if (!xml::isLegalText(text)) return wrong(text, "holds bytes that are no UTF-8 or that XML cannot carry");
    const auto [type, pairs] = splitFirst(text, ':');
    const auto [eventClass, subclass] = splitFirst(type, '/');

    EventRegistration event;
    auto plainClass = unescape(eventClass);
    if (!plainClass) return wrong(text, plainClass.error().text);
    if (plainClass->empty()) return wrong(text, "the CLASS is missing");
    event.eventClass = *std::move(plainClass);

    if (subclass) {
        auto plain = unescape(*subclass);
        if (!plain) return wrong(text, plain.error().text);
        if (plain->empty()) return wrong(text, "the SUBCLASS is missing behind '/'");
        event.subclass = *std::move(plain);
    }
    if (pairs) {
        auto parsed = parsePairs(*pairs);
        if (!parsed) return wrong(text, parsed.error().text);
        event.pairs = *std::move(parsed);
    }
    normalize(event);
    return event;
}

Result<NvPair> parsePair(std::string_view text) {
    if (!xml::isLegalText(text)) return wrong(text, "holds bytes that are no UTF-8 or that XML cannot carry");
    const auto [left, right] = splitFirst(text, '=');
    if (!right) return wrong(text, "a pair is NAME=VALUE[,VALUE]...");
    auto name = unescape(left);
    if (!name) return wrong(text, name.error().text);
    if (name->empty()) return wrong(text, "the NAME is missing before '='");
    NvPair pair{*std::move(name), {}};
    for (auto rest = right; rest;) {
        const auto [value, behind] = splitFirst(*rest, ',');
        auto plain = unescape(value);
        if (!plain) return wrong(text, plain.error().text);
        pair.values.push_back(*std::move(plain));
        rest = behind;
    }
    return pair;
}

void addValues(std::vector<NvPair>& pairs, NvPair pair) {
    const auto same = std::find_if(pairs.begin(), pairs.end(),
                                   [&](const NvPair& known) { return known.name == pair.name; });
    if (same == pairs.end()) {
        pairs.push_back(std::move(pair));
    } else {
        same->values.insert(same->values.end(), pair.values.begin(), pair.values.end());
    }
}

std::string formatEvent(const EventRegistration& event) {
    std::string text;
    appendEscaped(text, event.eventClass, "/:");
    if (event.subclass) {
        text += '/';
        appendEscaped(text, *event.subclass, ":");
    }
    char separator = ':';
    for (const auto& pair : event.pairs) {
        for (const auto& value : pair.values) {
            text += std::exchange(separator, ',');
            appendEscaped(text, pair.name, ",=");
            text += '=';
            appendEscaped(text, value, ",");
        }
    }
    return text;
}

}  // namespace crnpd::crnpctl
