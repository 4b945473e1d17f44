// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/logging/line.h"

#include <algorithm>
#include <cctype>
#include <chrono>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/log.h"

namespace crnpd::logging {
namespace {

std::string_view view(spdlog::string_view_t text) {
    return {text.data(), text.size()};
}

std::string timeOf(const spdlog::details::log_msg& message) {
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(message.time.time_since_epoch()).count() % 1000;
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                       fmt::gmtime(std::chrono::system_clock::to_time_t(message.time)), milliseconds);
}

std::string_view levelName(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::trace:
            return "trace";
        case spdlog::level::debug:
            return "debug";
        case spdlog::level::info:
            return "info";
        case spdlog::level::warn:
            return "warn";
        default:
            return "error";
    }
}

// syslog(3)
int priorityOf(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::trace:
        case spdlog::level::debug:
            return 7;
        case spdlog::level::info:
            return 6;
        case spdlog::level::warn:
            return 4;
        default:
            return 3;
    }
}

std::string lowerCase(std::string_view text) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return lower;
}

nlohmann::ordered_json valueOf(const Field& field) {
    if (field.isNumber) {
        auto number = nlohmann::ordered_json::parse(field.value, nullptr, false);
        if (number.is_number()) return number;
    }
    return field.value;
}

}  // namespace

Line takeApart(std::string_view payload) {
    const auto next = [&payload] {
        const auto end = payload.find(logSeparator);
        const auto part = payload.substr(0, end);
        payload.remove_prefix(end == std::string_view::npos ? payload.size() : end + 1);
        return part;
    };
    Line line;
    if (payload.find(logSeparator) == std::string_view::npos) {
        line.text = payload;
        return line;
    }
    line.id = next();
    line.text = next();
    while (!payload.empty()) {
        const auto part = next();
        const auto sign = part.find_first_of("=#");
        if (sign == std::string_view::npos) continue;
        line.fields.push_back({part.substr(0, sign), part.substr(sign + 1), part[sign] == '#'});
    }
    return line;
}

std::string asText(const spdlog::details::log_msg& message) {
    const auto line = takeApart(view(message.payload));
    return fmt::format("{} {:<5} {} {}\n", timeOf(message), levelName(message.level),
                       line.id.empty() ? "-" : line.id, line.text);
}

std::string asJson(const spdlog::details::log_msg& message) {
    const auto line = takeApart(view(message.payload));
    nlohmann::ordered_json object{
        {"time", timeOf(message)}, {"level", levelName(message.level)}, {"id", line.id}, {"text", line.text}};
    for (const auto& field : line.fields)
        object[lowerCase(field.name)] = valueOf(field);
    return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

std::vector<std::string> asJournalFields(const spdlog::details::log_msg& message) {
    const auto line = takeApart(view(message.payload));
    std::vector<std::string> fields{line.id.empty() ? fmt::format("MESSAGE={}", line.text)
                                                    : fmt::format("MESSAGE={} {}", line.id, line.text),
                                    fmt::format("PRIORITY={}", priorityOf(message.level)),
                                    "SYSLOG_IDENTIFIER=crnpd"};
    if (!line.id.empty()) fields.push_back(fmt::format("CRNPD_ID={}", line.id));
    for (const auto& field : line.fields)
        fields.push_back(fmt::format("CRNPD_{}={}", field.name, field.value));
    return fields;
}

}  // namespace crnpd::logging
