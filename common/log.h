// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// One log message: an id that outlives its wording, a level, a text, and what the operator should know.
//
//     log(msg::registrationRefused, peer, error.line, error.text);
//
// All messages are in common/messages.h. A call whose arguments do not fit does not compile. Strings
// are escaped and cut on their way in, whatever they are: what a client sent can neither break a line
// nor fill a disk. Where the lines go is decided by server/logging.
//
// Threads    log() may be called from any thread. It never blocks on the log's target.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>
#include <spdlog/common.h>

namespace crnpd {

// A string on its way into the log: control characters and broken UTF-8 become \xNN, and what is longer
// than `longest` bytes ends in "…".
struct LogText {
    static constexpr std::size_t longest = 300;
    std::string_view text;
};
void escapeForLog(std::string_view text, fmt::memory_buffer& out);

template <typename Arg>
using Loggable = std::conditional_t<std::is_convertible_v<Arg, std::string_view>, LogText, Arg>;

// `fields` names each argument for targets that keep more than the text (the journal, JSON): "CLIENT"
// becomes CRNPD_CLIENT in the journal and "client" in JSON. `advice` tells the operator what the message
// means and what to do; docs/messages.md shows it.
template <typename... Args>
struct Message {
    std::string_view id;
    spdlog::level::level_enum level;
    fmt::format_string<Loggable<Args>...> text;
    std::array<std::string_view, sizeof...(Args)> fields;
    std::string_view advice;
};

// What log() hands to spdlog as the payload, and the targets take apart again: id, text and NAME=value (a
// text) or NAME#value (a number), separated by a character that escapeForLog() never lets through.
inline constexpr char logSeparator = '\x1f';

// Lets the first lines of one message in a second through and counts the rest, so that a flood ends as one
// line "… 1,234 more". Asked before a line is formatted, because a flood must also be cheap.
class FloodGate {
public:
    virtual ~FloodGate() = default;
    [[nodiscard]] virtual bool admits(std::string_view id) noexcept = 0;
};

namespace detail {

// Whether the level is on and no flood is being held back.
bool isWanted(spdlog::level::level_enum level, std::string_view id) noexcept;
void send(spdlog::level::level_enum level, const fmt::memory_buffer& payload) noexcept;

template <typename Arg>
Loggable<Arg> loggable(const Arg& arg) noexcept {
    if constexpr (std::is_same_v<Loggable<Arg>, LogText>) {
        return LogText{arg};
    } else {
        return arg;
    }
}

}  // namespace detail

template <typename... Args>
void log(const Message<Args...>& message, const std::type_identity_t<Args>&... args) noexcept {
    if (!detail::isWanted(message.level, message.id)) return;
    try {
        fmt::memory_buffer payload;
        payload.append(message.id);
        payload.push_back(logSeparator);
        fmt::format_to(fmt::appender(payload), message.text, detail::loggable<Args>(args)...);
        [[maybe_unused]] std::size_t index = 0;
        (fmt::format_to(fmt::appender(payload), "{}{}{}{}", logSeparator, message.fields[index++],
                        std::is_arithmetic_v<Args> ? '#' : '=', detail::loggable<Args>(args)),
         ...);
        detail::send(message.level, payload);
    } catch (...) {  // out of memory: the server goes on, one line poorer
    }
}

}  // namespace crnpd

template <>
struct fmt::formatter<crnpd::LogText> {
    static constexpr auto parse(format_parse_context& context) { return context.begin(); }
    static auto format(const crnpd::LogText& value, format_context& context) {
        fmt::memory_buffer escaped;
        crnpd::escapeForLog(value.text, escaped);
        return std::copy(escaped.begin(), escaped.end(), context.out());
    }
};
