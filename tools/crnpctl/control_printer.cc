// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/control_printer.h"

#include <ostream>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ostream.h>

#include "tools/crnpctl/event_syntax.h"
#include "tools/crnpctl/printable.h"

namespace crnpd::crnpctl {
namespace {

void printRow(std::ostream& out, std::string_view label, std::string_view value) {
    fmt::print(out, "{:<12}  {}\n", label, printable(value));
}

std::string joined(const std::vector<std::string>& parts) {
    return parts.empty() ? std::string("nothing") : fmt::format("{}", fmt::join(parts, ", "));
}

std::string roleOf(const ServerStatus& status) {
    auto text = status.role;
    if (status.term != 0) text += fmt::format(", term {}", status.term);
    if (status.role != "active" && status.why.empty() && !status.reason.empty()) text += ": " + status.reason;
    return text;
}

std::string uptimeOf(std::int64_t seconds) {
    constexpr std::int64_t minute = 60;
    constexpr std::int64_t hour = 60 * minute;
    constexpr std::int64_t day = 24 * hour;
    if (seconds < minute) return fmt::format("{} s", seconds);
    if (seconds < hour) return fmt::format("{} min {} s", seconds / minute, seconds % minute);
    if (seconds < day) return fmt::format("{} h {} min", seconds / hour, seconds % hour / minute);
    return fmt::format("{} d {} h", seconds / day, seconds % day / hour);
}

std::string repliesOf(const ServerStatus& status) {
    std::vector<std::string> parts;
    for (const auto& [code, count] : status.replies)
        parts.push_back(fmt::format("{} {}", code, count));
    return parts.empty() ? std::string("none yet") : joined(parts);
}

std::string nextAttemptOf(const Progress& progress) {
    if (progress.isGivenUp) return "none: the client is being removed";
    if (progress.isUnderWay) return "under way";
    if (!progress.nextIn) return progress.waiting == 0 ? "none needed" : "in its turn";
    return fmt::format("in {:.1f} s", static_cast<double>(*progress.nextIn) / 1000);
}

void printProgress(std::ostream& out, const Progress& progress, std::int64_t head) {
    printRow(out, "position",
             fmt::format("{} of {}, lag {}", progress.position, head, head - progress.position));
    printRow(out, "waiting",
             fmt::format("{} {}", progress.waiting, progress.waiting == 1 ? "event" : "events"));
    printRow(out, "failures", fmt::format("{} in a row", progress.failures));
    printRow(out, "next attempt", nextAttemptOf(progress));
    if (!progress.attempts.empty())
        printRow(out, "attempts", fmt::format("the last {}", progress.attempts.size()));
    for (const auto& attempt : progress.attempts) {
        fmt::print(out, "  {}  event {}  {}\n", printable(attempt.time), attempt.sequence,
                   printable(attempt.result));
    }
}

}  // namespace

void printStatus(std::ostream& out, const ServerStatus& status) {
    printRow(out, "role", roleOf(status));
    if (!status.leader.empty()) printRow(out, "leader", status.leader);
    if (!status.why.empty()) printRow(out, "not active", status.why);
    printRow(out, "listens on", joined(status.listen));
    printRow(out, "clients", fmt::format("{}", status.clients));
    printRow(out, "removals", fmt::format("{} remembered", status.removals));
    printRow(out, "connections", fmt::format("{}", status.connections));
    printRow(out, "replies", repliesOf(status));
    printRow(out, "store",
             fmt::format("{} {}, revision {}", status.storeKind, status.storePath, status.revision));
    printRow(out, "running for", uptimeOf(status.uptimeSeconds));
    printRow(out, "version", fmt::format("{}, process {}", status.version, status.pid));
}

// The number first: then the columns are straight without knowing the longest address.
void printClientsHeader(std::ostream& out) {
    out << "REGISTRATIONS  CLIENT\n";
}

void printClientLine(std::ostream& out, const ClientLine& line) {
    fmt::print(out, "{:>13}  {}\n", line.registrations, printable(line.client));
}

void printClientsEnd(std::ostream& out, std::int64_t count) {
    fmt::print(out, "{} {}\n", count, count == 1 ? "client" : "clients");
}

void printClientDetails(std::ostream& out, const ClientDetails& details) {
    printRow(out, "client", details.client);
    printRow(out, "id", fmt::format("{}", details.id));
    printRow(out, "events", details.events.empty() ? "none" : fmt::format("{}", details.events.size()));
    for (const auto& event : details.events)
        fmt::print(out, "  {}\n", printable(formatEvent(event)));
    if (!details.via.empty()) printRow(out, "events from", details.via);
    if (details.progress) {
        printProgress(out, *details.progress, details.head.value_or(details.progress->position));
    } else if (details.head) {
        printRow(out, "position", "not known: the delivery did not answer in time");
    }
}

void printAccessVerdict(std::ostream& out, const AccessVerdict& verdict) {
    printRow(out, verdict.allowed ? "allowed" : "refused", verdict.address);
    if (!verdict.list.empty()) printRow(out, "decided by", verdict.list);
    if (!verdict.entry.empty()) printRow(out, "entry", verdict.entry);
    if (!verdict.network.empty()) printRow(out, "network", verdict.network);
    if (!verdict.text.empty()) printRow(out, "because", verdict.text);
}

}  // namespace crnpd::crnpctl
