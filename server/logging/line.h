// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// One log line taken apart again, and its three shapes: text for a person, JSON for a collector, fields for
// the journal.
//
// Threads    Free functions without state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <spdlog/details/log_msg.h>

namespace crnpd::logging {

struct Field {
    std::string_view name;  // "CLIENT"
    std::string_view value;
    bool isNumber = false;
};

struct Line {
    std::string_view id;
    std::string_view text;
    std::vector<Field> fields;
};

// Leads into `payload`, which log() has made. A payload that some library made is one text without an id.
[[nodiscard]] Line takeApart(std::string_view payload);

// "2026-01-31T12:00:00.000Z info  CRNPD-REG-001 127.0.0.1:2001 ADD_CLIENT OK: …", with a line feed.
[[nodiscard]] std::string asText(const spdlog::details::log_msg& message);
// {"time":"…","level":"info","id":"CRNPD-REG-001","text":"…","client":"127.0.0.1:2001",…}, with a line feed.
[[nodiscard]] std::string asJson(const spdlog::details::log_msg& message);
// MESSAGE=, PRIORITY=, SYSLOG_IDENTIFIER=, CRNPD_ID=, CRNPD_CLIENT=, …
[[nodiscard]] std::vector<std::string> asJournalFields(const spdlog::details::log_msg& message);

}  // namespace crnpd::logging
