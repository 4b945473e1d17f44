// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "common/dump/dump_line.h"

#include <optional>
#include <set>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "common/dump/events_json.h"
#include "common/dump/utc.h"
#include "common/registration_codec.h"

namespace crnpd::dump {
namespace {

using nlohmann::json;

// Far above what a server comes to; what a store can count on from there.
constexpr RecordId mostId = RecordId{1} << 62U;

Error damaged(std::string text) {
    return {ErrorCode::damaged, std::move(text)};
}

std::optional<std::uint64_t> numberIn(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
    return found->get<std::uint64_t>();
}

// Empty where there is none.
std::string textIn(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

// A link-local address whose interface is not on this host. Nobody can be it, but it is no reason to refuse
// the rest: as the store does, it gets a scope that no interface has and no other row.
Result<CallbackAddress> withoutInterface(const std::string& text, RecordId id) {
    const auto percent = text.find('%');
    const auto bracket = text.find(']');
    if (percent == std::string::npos || bracket == std::string::npos || bracket < percent)
        return damaged("no address");
    auto address = CallbackAddress::parse(text.substr(0, percent) + text.substr(bracket));
    if (!address) return address;
    in6_addr bytes{};
    std::copy(address->ip.bytes().begin(), address->ip.bytes().end(), std::begin(bytes.s6_addr));
    constexpr std::uint32_t beyondInterfaces = 0x80000000U;
    address->ip = IpAddress::from(bytes, beyondInterfaces | static_cast<std::uint32_t>(id & 0x7fffffffU));
    return address;
}

Result<CallbackAddress> addressIn(const json& object, const char* key, RecordId id) {
    const auto text = textIn(object, key);
    auto address = CallbackAddress::parse(text);
    if (!address && address.error().code == ErrorCode::notFound) address = withoutInterface(text, id);
    if (!address || address->port == 0)
        return damaged(fmt::format("its \"{}\" is no callback address, which is ADDRESS:PORT", key));
    return address;
}

bool hasRepetition(const std::vector<EventRegistration>& events) {
    std::set<std::string> seen;
    for (const auto& event : events) {
        if (!seen.insert(encodeRegistrations({&event, 1})).second) return true;
    }
    return false;
}

// The server's address that the client spoke to. Dumps of older servers have none; nor does a host that has
// not the interface of a link-local one.
Result<IpAddress> viaIn(const json& row) {
    if (!row.contains("via")) return IpAddress{};
    auto via = IpAddress::parse(textIn(row, "via"));
    if (!via && via.error().code == ErrorCode::notFound) return IpAddress{};
    if (!via) return damaged("its \"via\" is no IP address");
    return via;
}

Result<Change> clientIn(const json& row, RecordId id) {
    const auto address = addressIn(row, "client", id);
    if (!address) return address.error();
    const auto found = row.find("events");
    const auto events = found == row.end() ? std::nullopt : eventsIn(*found);
    if (!events) return damaged("its \"events\" are no list of event registrations");
    if (hasRepetition(*events)) return damaged("one of its \"events\" is there twice");
    const auto via = viaIn(row);
    if (!via) return via.error();
    return Change(ClientRecord{
        .id = id, .client = *address, .registrations = encodeRegistrations(*events), .via = *via});
}

Result<Change> removalIn(const json& row, RecordId id) {
    const auto address = addressIn(row, "removed", id);
    if (!address) return address.error();
    const auto at = readUtc(textIn(row, "at"));
    if (!at) return damaged("its \"at\" is no time like 2025-01-31T12:00:00.000Z");
    return Change(RemovalRecord{id, *address, *at});
}

}  // namespace

std::string headerLine(const Header& header) {
    return nlohmann::ordered_json{{"crnpd_dump", format},      {"made", utcText(header.made)},
                                  {"server", header.server},   {"revision", header.revision},
                                  {"clients", header.clients}, {"removals", header.removals}}
        .dump();
}

Result<Header> readHeader(std::string_view line) {
    const auto object = json::parse(line, nullptr, false);
    const auto version = object.is_object() ? numberIn(object, "crnpd_dump") : std::nullopt;
    if (!version || *version == 0)
        return damaged("this is no dump of crnpd: its first line does not say {\"crnpd_dump\":…}");
    const auto server = textIn(object, "server");
    if (*version > format) {
        return Error{ErrorCode::foreign,
                     fmt::format("the dump has format {}, made by crnpd {}; this crnpd knows formats up to "
                                 "{}: use crnpd and crnpctl of that version or a newer one",
                                 *version, server.empty() ? "of a newer version" : server, format)};
    }
    const auto made = readUtc(textIn(object, "made"));
    const auto revision = numberIn(object, "revision");
    const auto clients = numberIn(object, "clients");
    const auto removals = numberIn(object, "removals");
    if (!made || !revision || !clients || !removals)
        return damaged("one of \"made\", \"revision\", \"clients\", \"removals\" is missing or wrong");
    return Header{*made, server, *revision, *clients, *removals};
}

Result<std::string> clientLine(const ClientRecord& client) {
    const auto events = decodeRegistrations(client.registrations);
    if (!events) return events.error();
    try {
        nlohmann::ordered_json line{{"client", client.client.text()}, {"id", client.id}};
        if (client.via != IpAddress{}) line["via"] = client.via.text();
        line["events"] = eventsJson(*events);
        return line.dump();
    } catch (const json::exception&) {
        return damaged("client " + client.client.text() + " has text that is not UTF-8");
    }
}

std::string removalLine(const RemovalRecord& removal) {
    return nlohmann::ordered_json{
        {"removed", removal.client.text()}, {"id", removal.id}, {"at", utcText(removal.removedAt)}}
        .dump();
}

Result<Change> readRow(std::string_view line) {
    const auto row = json::parse(line, nullptr, false);
    if (!row.is_object()) return damaged("this is no line of a dump");
    const bool isClient = row.contains("client");
    if (isClient == row.contains("removed")) return damaged("this is neither a client nor a removal");
    const auto id = numberIn(row, "id");
    if (!id || *id == 0 || *id > mostId) return damaged("its \"id\" is no number above 0");
    return isClient ? clientIn(row, *id) : removalIn(row, *id);
}

}  // namespace crnpd::dump
