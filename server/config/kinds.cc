// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/kinds.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace crnpd::config {
namespace {

constexpr std::size_t longestPath = 4095;  // PATH_MAX without the NUL

constexpr std::size_t longestPrefix = 255;
constexpr std::size_t longestName = 255;

constexpr std::string_view automaticWord = "auto";
constexpr std::string_view journalWord = "journal";
constexpr std::string_view stderrWord = "stderr";

Error refusal(const Value& value, std::string_view reason) {
    return {ErrorCode::invalidArgument, value.shown() + ' ' + std::string(reason)};
}

bool hasControlCharacters(std::string_view text) {
    return std::ranges::any_of(text,
                               [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool isWholeNumber(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

Result<std::int64_t> readNumber(const Value& value, NumberRange range) {
    if (const auto* text = value.as<std::string>(); text != nullptr && isWholeNumber(*text)) {
        return refusal(value, "is a text: write it without the quotes");
    }
    const auto* number = value.as<std::int64_t>();
    if (number == nullptr) return refusal(value, "is not a whole number");
    if (*number < range.least || *number > range.most) return refusal(value, "is out of range");
    return *number;
}

Result<std::chrono::milliseconds> readTime(const Value& value, TimeRange range,
                                           std::chrono::milliseconds step) {
    if (value.as<std::int64_t>() != nullptr) {
        return refusal(value, "has no unit: write \"" + value.shown() + "s\" for seconds");
    }
    const auto text = readText(value);
    if (!text) return text.error();
    const auto duration = parseDuration(*text);
    if (!duration) return refusal(value, escaped(duration.error().text));
    if (*duration < range.least || *duration > range.most) return refusal(value, "is out of range");
    if (*duration % step != std::chrono::milliseconds::zero())
        return refusal(value, "is not a whole number of seconds");
    return *duration;
}

Result<std::string> readText(const Value& value) {
    if (const auto* text = value.as<std::string>()) return *text;
    return refusal(value, "is not a text in quotes");
}

Result<std::filesystem::path> readPath(const Value& value, std::size_t longest) {
    const auto text = readText(value);
    if (!text) return text.error();
    if (text->empty()) return refusal(value, "is empty");
    if (text->find('\0') != std::string::npos) return refusal(value, "has a NUL in it");
    if (text->ends_with('/')) return refusal(value, "is a folder, not a file");
    if (text->size() > longest) {
        return refusal(value, fmt::format("is too long: {} bytes, at most {}", text->size(), longest));
    }
    return std::filesystem::path(*text);
}

Result<std::filesystem::path> readOptionalPath(const Value& value, std::size_t longest) {
    if (const auto* text = value.as<std::string>(); text != nullptr && text->empty())
        return std::filesystem::path();
    return readPath(value, longest);
}

Result<std::string> readKeyPrefix(const Value& value) {
    auto text = readText(value);
    if (!text) return text;
    if (!text->starts_with('/')) return refusal(value, "does not begin with a \"/\"");
    if (text->ends_with('/')) return refusal(value, "ends with a \"/\"");
    if (text->find("//") != std::string::npos) return refusal(value, "has an empty part");
    if (hasControlCharacters(*text)) return refusal(value, "has control characters in it");
    if (text->size() > longestPrefix)
        return refusal(value, fmt::format("is longer than {} bytes", longestPrefix));
    return text;
}

Result<std::string> readName(const Value& value) {
    auto text = readText(value);
    if (!text) return text;
    if (hasControlCharacters(*text)) return refusal(value, "has control characters in it");
    if (text->size() > longestName)
        return refusal(value, fmt::format("is longer than {} bytes", longestName));
    return text;
}

Result<bool> readYesOrNo(const Value& value) {
    if (const auto* yes = value.as<bool>()) return *yes;
    return refusal(value, "is neither true nor false");
}

Result<mode_t> readMode(const Value& value) {
    const auto* text = value.as<std::string>();
    if (text == nullptr) return refusal(value, "is not an octal number in quotes");
    unsigned mode = 0;
    const auto [stop, error] = std::from_chars(text->data(), text->data() + text->size(), mode, 8);
    if (error != std::errc{} || stop != text->data() + text->size() || text->size() < 3 || text->size() > 4) {
        return refusal(value, "is not an octal number of three or four digits");
    }
    // Who may write to the socket can remove clients, so "everybody" is never meant.
    if ((mode & 07U) != 0) return refusal(value, "gives rights to everybody on this machine");
    if (mode > 0777U) return refusal(value, "has more than the rights to read, write and execute");
    if ((mode & 0600U) != 0600U) return refusal(value, "keeps the owner from reading and writing");
    return static_cast<mode_t>(mode);
}

Result<LogTarget> readLogTarget(const Value& value) {
    const auto text = readText(value);
    if (!text) return text.error();
    if (*text == automaticWord) return LogTarget{LogTarget::Kind::automatic, {}};
    if (*text == journalWord) return LogTarget{LogTarget::Kind::journal, {}};
    if (*text == stderrWord) return LogTarget{LogTarget::Kind::standardError, {}};
    // Else "jurnal" would become a file in whatever folder the server was started in.
    if (text->find('/') == std::string::npos)
        return refusal(value, "is not known, and a path has a \"/\" in it");
    auto file = readPath(value, longestPath);
    if (!file) return file.error();
    return LogTarget{LogTarget::Kind::file, *std::move(file)};
}

std::string modeText(mode_t mode) {
    return inQuotes(fmt::format("{:04o}", mode));
}

std::string logTargetText(const LogTarget& target) {
    switch (target.kind) {
        case LogTarget::Kind::automatic:
            return inQuotes(automaticWord);
        case LogTarget::Kind::journal:
            return inQuotes(journalWord);
        case LogTarget::Kind::standardError:
            return inQuotes(stderrWord);
        case LogTarget::Kind::file:
            break;
    }
    return inQuotes(target.file.native());
}

std::string listText(std::span<const std::string> elements) {
    std::string result;
    for (const auto& element : elements)
        result += (result.empty() ? "" : ", ") + inQuotes(element);
    return '[' + result + ']';
}

std::string allowedNumber(NumberRange range) {
    return fmt::format("a number from {} to {}", range.least, range.most);
}

std::string allowedTime(TimeRange range) {
    return fmt::format("a time from \"{}\" to \"{}\", one whole number with the unit ms, s, m, h or d",
                       durationText(range.least), durationText(range.most));
}

}  // namespace crnpd::config
