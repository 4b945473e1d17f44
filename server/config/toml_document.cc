// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/toml_document.h"

#include <algorithm>

#include <toml++/toml.h>

namespace crnpd::config {
namespace {

constexpr unsigned mostDots = 16;

// The position behind the string that starts at `start`, or of the line break that ends it too early.
std::size_t behindString(std::string_view text, std::size_t start) {
    const char quote = text[start];
    const std::string closing(text.substr(start).starts_with(std::string(3, quote)) ? 3 : 1, quote);
    for (auto i = start + closing.size(); i < text.size(); ++i) {
        if (quote == '"' && text[i] == '\\') {
            ++i;
        } else if (closing.size() == 1 && text[i] == '\n') {
            return i;
        } else if (text.substr(i).starts_with(closing)) {
            i += closing.size();
            // Quotes that belong to the string may stand right before the three.
            while (closing.size() == 3 && i < text.size() && text[i] == quote)
                ++i;
            return i;
        }
    }
    return text.size();
}

// The line of a name like a.a.a.a… with too many parts; 0 if there is none. toml++ bounds how deep brackets
// nest but not names, and takes its tables apart by recursion: a long name would overflow the stack.
unsigned lineOfDeepName(std::string_view text) {
    unsigned line = 1;
    unsigned dots = 0;
    for (std::size_t i = 0; i < text.size();) {
        auto next = i + 1;
        if (text[i] == '"' || text[i] == '\'') {
            next = behindString(text, i);
            line += static_cast<unsigned>(std::ranges::count(text.substr(i, next - i), '\n'));
        } else if (text[i] == '#') {
            next = std::min(text.find('\n', i), text.size());
        } else if (text[i] == '\n' || text[i] == ',') {
            if (text[i] == '\n') ++line;
            dots = 0;
        } else if (text[i] == '.' && ++dots > mostDots) {
            return line;
        }
        i = next;
    }
    return 0;
}

unsigned lineOf(const toml::source_region& region) {
    return region.begin.line;
}

Value convert(const toml::node& node) {
    const auto line = lineOf(node.source());
    if (const auto* text = node.as_string()) return {text->get(), line};
    if (const auto* number = node.as_integer()) return {number->get(), line};
    if (const auto* fraction = node.as_floating_point()) return {fraction->get(), line};
    if (const auto* truth = node.as_boolean()) return {truth->get(), line};
    if (node.is_table()) return {Value::Other{"a section"}, line};
    if (const auto* array = node.as_array()) {
        std::vector<Value> elements;
        for (const auto& element : *array)
            elements.push_back(convert(element));
        return {std::move(elements), line};
    }
    return {Value::Other{"a date or time"}, line};
}

// As deep as the text nests its tables, which the parser and lineOfDeepName() bound.
void collect(const toml::table& table, const std::string& section, TomlDocument& document) {
    for (const auto& [key, node] : table) {
        const std::string name(key.str());
        if (const auto* inner = node.as_table()) {
            auto path = section.empty() ? name : section + '.';
            if (!section.empty()) path += name;
            document.sections.push_back({path, lineOf(key.source())});
            collect(*inner, path, document);
        } else {
            document.entries.push_back({section, name, convert(node), lineOf(key.source())});
        }
    }
}

}  // namespace

Result<TomlDocument> parseToml(std::string_view text) {
    if (const auto line = lineOfDeepName(text); line != 0) {
        return Error{ErrorCode::malformed, "a name has more than " + std::to_string(mostDots) + " dots",
                     line};
    }
    try {
        TomlDocument document;
        collect(toml::parse(text), "", document);
        return document;
    } catch (const toml::parse_error& error) {
        return Error{ErrorCode::malformed, escaped(error.description()), lineOf(error.source())};
    }
}

}  // namespace crnpd::config
