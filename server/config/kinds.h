// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The types that a setting can have. Each takes the place in Settings where the value lives:
//
//     number({1, 64}, at(&Settings::workers))
//     time({100ms, 1h}, at(&Settings::limits, &Limits::messageTime))
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/result.h"
#include "server/config/duration.h"
#include "server/config/table.h"

namespace crnpd::config {

struct NumberRange {
    std::int64_t least;
    std::int64_t most;
};

struct TimeRange {
    std::chrono::milliseconds least;
    std::chrono::milliseconds most;
};

// The parts that do not depend on where the value lives. An error's text starts with the value.
Result<std::int64_t> readNumber(const Value& value, NumberRange range);
Result<std::chrono::milliseconds> readTime(const Value& value, TimeRange range,
                                           std::chrono::milliseconds step);
Result<std::string> readText(const Value& value);
Result<std::filesystem::path> readPath(const Value& value, std::size_t longest);
Result<std::filesystem::path> readOptionalPath(const Value& value, std::size_t longest);
Result<std::string> readKeyPrefix(const Value& value);
Result<std::string> readName(const Value& value);
Result<bool> readYesOrNo(const Value& value);
Result<mode_t> readMode(const Value& value);
Result<LogTarget> readLogTarget(const Value& value);
std::string modeText(mode_t mode);
std::string logTargetText(const LogTarget& target);
std::string listText(std::span<const std::string> elements);
std::string allowedNumber(NumberRange range);
std::string allowedTime(TimeRange range);

// The path to a member: at(&Settings::limits, &Limits::connections).
template <typename... Members>
auto at(Members... members) {
    return [members...](auto& settings) -> auto& {
        return (settings.*....*members);
    };
}

// A kind whose value is read and written as a whole.
template <typename Read, typename Write, typename Field>
Kind single(std::string allowed, Read read, Write write, Field field) {
    return {std::move(allowed),
            [read, field](const Value& value, Settings& settings) -> std::vector<Refusal> {
                auto result = read(value);
                if (!result) return {{value.line, result.error().text}};
                using Target = std::remove_reference_t<decltype(field(settings))>;
                field(settings) = static_cast<Target>(*std::move(result));
                return {};
            },
            [write, field](const Settings& settings) -> std::string { return write(field(settings)); }};
}

template <typename Field>
Kind number(NumberRange range, Field field) {
    return single(
        allowedNumber(range), [range](const Value& value) { return readNumber(value, range); },
        [](auto count) { return std::to_string(count); }, field);
}

template <typename Field>
Kind time(TimeRange range, Field field) {
    using Duration = std::remove_reference_t<decltype(field(std::declval<Settings&>()))>;
    const auto read = [range](const Value& value) -> Result<Duration> {
        const auto result = readTime(value, range, Duration{1});
        if (!result) return result.error();
        return std::chrono::duration_cast<Duration>(*result);
    };
    return single(
        allowedTime(range), read, [](Duration duration) { return inQuotes(durationText(duration)); }, field);
}

template <typename Field>
Kind path(std::string allowed, std::size_t longest, Field field) {
    return single(
        std::move(allowed), [longest](const Value& value) { return readPath(value, longest); },
        [](const std::filesystem::path& file) { return inQuotes(file.native()); }, field);
}

// As path(), but empty where there is none.
template <typename Field>
Kind optionalPath(std::string allowed, std::size_t longest, Field field) {
    return single(
        std::move(allowed), [longest](const Value& value) { return readOptionalPath(value, longest); },
        [](const std::filesystem::path& file) { return inQuotes(file.native()); }, field);
}

// What the keys of ours in a store for everybody begin with.
template <typename Field>
Kind keyPrefix(Field field) {
    return single(
        "a path of names, like \"/crnpd\" or \"/site/crnpd\"", readKeyPrefix,
        [](const std::string& text) { return inQuotes(text); }, field);
}

// A name that somebody else gave, or nothing.
template <typename Field>
Kind optionalName(std::string allowed, Field field) {
    return single(
        std::move(allowed), readName, [](const std::string& text) { return inQuotes(text); }, field);
}

template <typename Field>
Kind yesOrNo(Field field) {
    return single(
        "true or false", readYesOrNo, [](bool value) { return std::string(value ? "true" : "false"); },
        field);
}

template <typename Field>
Kind fileMode(Field field) {
    return single(
        "the rights of the owner (at least to read and write) and of the group, like \"0600\" or \"0660\"",
        readMode, modeText, field);
}

template <typename Field>
Kind logTarget(Field field) {
    return single(
        "\"auto\" (the journal under systemd, else stderr), \"journal\", \"stderr\" or a file's path",
        readLogTarget, logTargetText, field);
}

// One of the words that name(Enum) gives the `values`.
template <typename Enum, typename Field>
Kind word(std::vector<Enum> values, Field field) {
    std::string allowed;
    for (const auto value : values)
        allowed += (allowed.empty() ? "" : ", ") + inQuotes(name(value));
    const auto read = [values](const Value& value) -> Result<Enum> {
        const auto text = readText(value);
        if (!text) return text.error();
        for (const auto candidate : values) {
            if (*text == name(candidate)) return candidate;
        }
        return Error{ErrorCode::invalidArgument, value.shown() + " is not known"};
    };
    return single(
        std::move(allowed), read, [](Enum value) { return inQuotes(name(value)); }, field);
}

// A list of what Element::parse() takes and text() gives.
template <typename Element, typename Field>
Kind list(std::string allowed, NumberRange size, Field field) {
    const auto read = [size, field](const Value& value, Settings& settings) -> std::vector<Refusal> {
        const auto* values = value.as<std::vector<Value>>();
        if (values == nullptr) return {{value.line, value.shown() + " is not a list: write it in [ ]"}};
        if (std::cmp_less(values->size(), size.least)) return {{value.line, "[] is empty"}};
        if (std::cmp_greater(values->size(), size.most)) {
            return {{value.line, "the list is longer than " + std::to_string(size.most) + " entries"}};
        }
        std::vector<Element> elements;
        std::vector<Refusal> refusals;
        for (const auto& each : *values) {
            const auto text = readText(each);
            auto element = text ? Element::parse(*text) : text.error();
            if (element) {
                elements.push_back(*std::move(element));
            } else {
                refusals.push_back({each.line, escaped(element.error().text)});
            }
        }
        if (refusals.empty()) field(settings) = std::move(elements);
        return refusals;
    };
    const auto write = [field](const Settings& settings) {
        std::vector<std::string> texts;
        for (const auto& element : field(settings))
            texts.push_back(element.text());
        return listText(texts);
    };
    return {std::move(allowed), read, write};
}

}  // namespace crnpd::config
