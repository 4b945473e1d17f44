// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/exit_status.h"

#include <array>
#include <string_view>

#include <fmt/format.h>

namespace crnpd::crnpctl {
namespace {

struct Row {
    ExitStatus status;
    std::string_view meaning;
};

constexpr std::array<Row, 16> rows{{
    {ExitStatus::ok, "OK, or the control command was carried out"},
    {ExitStatus::failed, "no reply, no connection, or the control socket refused"},
    {ExitStatus::usage, "the command line is wrong, or FILE cannot be read or is no whole dump"},
    {ExitStatus::notFound, "the server knows no such client (client show, client remove)"},
    {ExitStatus::retry, "RETRY"},
    {ExitStatus::lowResource, "LOW_RESOURCE"},
    {ExitStatus::systemError, "SYSTEM_ERROR"},
    {ExitStatus::fail, "FAIL"},
    {ExitStatus::malformed, "MALFORMED"},
    {ExitStatus::invalid, "INVALID"},
    {ExitStatus::versionTooHigh, "VERSION_TOO_HIGH"},
    {ExitStatus::versionTooLow, "VERSION_TOO_LOW"},
    {ExitStatus::unknownReply, "the answer is no SC_REPLY, or its STATUS_CODE is unknown"},
    {ExitStatus::standby, "the server stands by (role)"},
    {ExitStatus::changing, "the server is starting, taking over, stepping down or stopped (role)"},
    {ExitStatus::unknown, "nobody knows whether the event was published (publish)"},
}};

std::string row(ExitStatus status, std::string_view meaning) {
    return fmt::format("  {:>2}  {}\n", static_cast<int>(status), meaning);
}

}  // namespace

ExitStatus exitStatusOf(StatusCode code) noexcept {
    switch (code) {
        case StatusCode::ok:
            return ExitStatus::ok;
        case StatusCode::retry:
            return ExitStatus::retry;
        case StatusCode::lowResource:
            return ExitStatus::lowResource;
        case StatusCode::systemError:
            return ExitStatus::systemError;
        case StatusCode::fail:
            return ExitStatus::fail;
        case StatusCode::malformed:
            return ExitStatus::malformed;
        case StatusCode::invalid:
            return ExitStatus::invalid;
        case StatusCode::versionTooHigh:
            return ExitStatus::versionTooHigh;
        case StatusCode::versionTooLow:
            return ExitStatus::versionTooLow;
    }
    return ExitStatus::unknownReply;
}

std::string exitStatusTable(ExitStatus last) {
    std::string table;
    for (const auto& [status, meaning] : rows) {
        if (status > last) break;
        table += row(status, meaning);
    }
    return table;
}

std::string roleExitStatusTable() {
    return row(ExitStatus::ok, "the server is active") +
           row(ExitStatus::failed, "no server answers at the control socket") +
           row(ExitStatus::usage, "the command line is wrong") +
           row(ExitStatus::standby, "standby: another server is active, or none can be") +
           row(ExitStatus::changing, "starting, taking over, stepping down or stopped");
}

std::string publishExitStatusTable() {
    return row(ExitStatus::ok, "the event is published, and durable") +
           row(ExitStatus::failed, "it is not published: no connection, or the server refused") +
           row(ExitStatus::usage,
               "it is not published: the command line is wrong, or the file is no SC_EVENT") +
           row(ExitStatus::unknown,
               "nobody knows: the answer was cut off, or another server took over meanwhile");
}

}  // namespace crnpd::crnpctl
