// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/toml_document.h"

#include <toml++/toml.h>

namespace crnpd::config {
namespace {

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

// As deep as the text nests its tables, which the parser bounds.
void collect(const toml::table& table, const std::string& section, TomlDocument& document) {
    for (const auto& [key, node] : table) {
        const std::string name(key.str());
        if (const auto* inner = node.as_table()) {
            const auto path = section.empty() ? name : section + '.' + name;
            document.sections.push_back({path, lineOf(key.source())});
            collect(*inner, path, document);
        } else {
            document.entries.push_back({section, name, convert(node), lineOf(key.source())});
        }
    }
}

}  // namespace

Result<TomlDocument> parseToml(std::string_view text) {
    try {
        TomlDocument document;
        collect(toml::parse(text), "", document);
        return document;
    } catch (const toml::parse_error& error) {
        return Error{ErrorCode::malformed, escaped(error.description()), lineOf(error.source())};
    }
}

}  // namespace crnpd::config
