// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "common/dump/events_json.h"

#include <string>
#include <utility>

#include "common/xml/text.h"

namespace crnpd::dump {
namespace {

using nlohmann::json;

const std::string* textIn(const json& value) {
    const auto* const text = value.get_ptr<const std::string*>();
    return text != nullptr && xml::isLegalText(*text) ? text : nullptr;
}

const json* member(const json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
}

std::optional<NvPair> pairIn(const json& entry) {
    const auto* const name = member(entry, "name");
    const auto* const values = member(entry, "values");
    const auto* const nameText = name == nullptr ? nullptr : textIn(*name);
    if (nameText == nullptr || values == nullptr || !values->is_array() || values->empty())
        return std::nullopt;
    NvPair pair{*nameText, {}};
    for (const auto& value : *values) {
        const auto* const text = textIn(value);
        if (text == nullptr) return std::nullopt;
        pair.values.push_back(*text);
    }
    return pair;
}

std::optional<EventRegistration> eventIn(const json& entry) {
    const auto* const eventClass = member(entry, "class");
    const auto* const subclass = member(entry, "subclass");
    const auto* const pairs = member(entry, "pairs");
    const auto* const classText = eventClass == nullptr ? nullptr : textIn(*eventClass);
    if (classText == nullptr || subclass == nullptr || pairs == nullptr || !pairs->is_array())
        return std::nullopt;
    EventRegistration event{*classText, std::nullopt, {}};
    if (!subclass->is_null()) {
        const auto* const text = textIn(*subclass);
        if (text == nullptr) return std::nullopt;
        event.subclass = *text;
    }
    for (const auto& each : *pairs) {
        auto pair = pairIn(each);
        if (!pair) return std::nullopt;
        event.pairs.push_back(*std::move(pair));
    }
    normalize(event);
    return event;
}

}  // namespace

nlohmann::ordered_json eventsJson(const std::vector<EventRegistration>& events) {
    auto list = nlohmann::ordered_json::array();
    for (const auto& event : events) {
        auto pairs = nlohmann::ordered_json::array();
        for (const auto& pair : event.pairs)
            pairs.push_back({{"name", pair.name}, {"values", pair.values}});
        list.push_back({{"class", event.eventClass},
                        {"subclass", event.subclass ? nlohmann::ordered_json(*event.subclass)
                                                    : nlohmann::ordered_json(nullptr)},
                        {"pairs", std::move(pairs)}});
    }
    return list;
}

std::optional<std::vector<EventRegistration>> eventsIn(const nlohmann::json& list) {
    if (!list.is_array()) return std::nullopt;
    std::vector<EventRegistration> events;
    for (const auto& entry : list) {
        auto event = eventIn(entry);
        if (!event) return std::nullopt;
        events.push_back(*std::move(event));
    }
    return events;
}

}  // namespace crnpd::dump
