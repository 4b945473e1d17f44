// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/log.h"

#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>

namespace crnpd {
namespace {

// Length of the well-formed UTF-8 sequence of more than one byte at the front of `text`, or 0.
std::size_t multibyteLength(std::string_view text) noexcept {
    const auto byteAt = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char lead = byteAt(0);
    const std::size_t length = lead >= 0xF0 && lead <= 0xF4 ? 4U : lead >= 0xE0 ? 3U : lead >= 0xC2 ? 2U : 0U;
    if (length == 0 || lead > 0xF4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byteAt(i) & 0xC0U) != 0x80U) return 0;
    }
    // C1 controls (U+0080..U+009F) can steer a terminal just as the C0 ones.
    if (lead == 0xC2 && byteAt(1) < 0xA0) return 0;
    return length;
}

}  // namespace

void escapeForLog(std::string_view text, fmt::memory_buffer& out) {
    const bool cut = text.size() > LogText::longest;
    if (cut) text = text.substr(0, LogText::longest);
    while (!text.empty()) {
        const auto byte = static_cast<unsigned char>(text.front());
        std::size_t length = 1;
        if (byte >= 0x80) length = multibyteLength(text);
        if (length == 0 || byte < 0x20 || byte == 0x7F) {
            fmt::format_to(fmt::appender(out), "\\x{:02X}", byte);
            length = 1;
        } else {
            out.append(text.data(), text.data() + length);
        }
        text.remove_prefix(length);
    }
    if (cut) out.append(std::string_view{"…"});
}

namespace detail {

bool isWanted(spdlog::level::level_enum level, std::string_view id) noexcept {
    const auto* const logger = spdlog::default_logger_raw();
    if (!logger->should_log(level)) return false;
    const auto& sinks = logger->sinks();
    auto* const gate = sinks.empty() ? nullptr : dynamic_cast<FloodGate*>(sinks.front().get());
    return gate == nullptr || gate->admits(id);
}

void send(spdlog::level::level_enum level, const fmt::memory_buffer& payload) noexcept {
    spdlog::default_logger_raw()->log(level, spdlog::string_view_t{payload.data(), payload.size()});
}

}  // namespace detail
}  // namespace crnpd
