// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/control_answers.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "tools/crnpctl/printable.h"

namespace crnpd::crnpctl {
namespace {

using nlohmann::json;

// What is asked for contains no text but addresses, so dump() cannot meet broken UTF-8.
std::string requestOf(const json& fields) {
    return fields.dump();
}

Error senseless(std::string_view line) {
    return {ErrorCode::damaged, "the server's answer makes no sense; is it of another version? It begins: " +
                                    printable(line.substr(0, 100))};
}

// A missing key is the value's default; null is the same as missing. A value of another type throws, and
// read() below catches.
template <typename T>
T field(const json& object, const char* key) {
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? T{} : found->get<T>();
}

// A key without which the answer would mean something else.
template <typename T>
T needed(const json& object, const char* key) {
    return object.at(key).get<T>();
}

Error refusal(const json& answer) {
    const bool notFound = field<std::string>(answer, "code") == "NOT_FOUND";
    auto text = field<std::string>(answer, "error");
    if (text.empty()) text = "the server refused: " + field<std::string>(answer, "code");
    return {notFound ? ErrorCode::notFound : ErrorCode::cancelled, std::move(text)};
}

// Parses `line` and lets `make` turn it into a value; the library's exceptions end here.
template <typename Make>
auto read(std::string_view line, Make make) -> Result<decltype(make(std::declval<const json&>()))> {
    try {
        const auto answer = json::parse(line);
        if (!answer.is_object()) return senseless(line);
        if (const auto ok = answer.find("ok"); ok != answer.end() && !ok->get<bool>()) return refusal(answer);
        return make(answer);
    } catch (const json::exception&) {
        return senseless(line);
    }
}

void needsOk(const json& answer) {
    (void)needed<bool>(answer, "ok");
}

EventRegistration eventIn(const json& entry) {
    EventRegistration event;
    event.eventClass = needed<std::string>(entry, "class");
    if (entry.contains("subclass") && !entry["subclass"].is_null()) {
        event.subclass = entry["subclass"].get<std::string>();
    }
    for (const auto& pair : field<std::vector<json>>(entry, "pairs")) {
        event.pairs.push_back(
            {needed<std::string>(pair, "name"), needed<std::vector<std::string>>(pair, "values")});
    }
    return event;
}

ServerStatus statusIn(const json& answer) {
    needsOk(answer);
    const auto store = field<std::map<std::string, json>>(answer, "store");
    const auto inStore = [&](const char* key) {
        const auto found = store.find(key);
        return found == store.end() || found->second.is_null() ? std::string()
                                                               : found->second.get<std::string>();
    };
    return {.version = needed<std::string>(answer, "version"),
            .pid = field<std::int64_t>(answer, "pid"),
            .role = needed<std::string>(answer, "role"),
            .reason = field<std::string>(answer, "reason"),
            .term = field<std::int64_t>(answer, "term"),
            .leader = field<std::string>(answer, "leader"),
            .why = field<std::string>(answer, "why"),
            .storeKind = inStore("kind"),
            .storePath = inStore("path"),
            .revision = field<std::int64_t>(answer, "revision"),
            .clients = field<std::int64_t>(answer, "clients"),
            .removals = field<std::int64_t>(answer, "removals"),
            .connections = field<std::int64_t>(answer, "connections"),
            .listen = field<std::vector<std::string>>(answer, "listen"),
            .uptimeSeconds = field<std::int64_t>(answer, "uptime_seconds"),
            .replies = field<std::map<std::string, std::int64_t>>(answer, "replies")};
}

}  // namespace

std::string statusRequest() {
    return requestOf({{"request", "status"}});
}
std::string roleRequest() {
    return requestOf({{"request", "role"}});
}
std::string stepDownRequest() {
    return requestOf({{"request", "step-down"}});
}
std::string dumpRequest() {
    return requestOf({{"request", "dump"}});
}
std::string restoreRequest() {
    return requestOf({{"request", "restore"}});
}
std::string clientsRequest() {
    return requestOf({{"request", "clients"}});
}
std::string clientShowRequest(const CallbackAddress& client) {
    return requestOf({{"request", "client-show"}, {"client", client.text()}});
}
std::string clientRemoveRequest(const CallbackAddress& client) {
    return requestOf({{"request", "client-remove"}, {"client", client.text()}});
}
std::string accessTestRequest(const IpAddress& address) {
    return requestOf({{"request", "access-test"}, {"address", address.text()}});
}

Result<void> readAccepted(std::string_view line) {
    const auto accepted = read(line, [](const json& answer) { return needed<bool>(answer, "ok"); });
    if (!accepted) return accepted.error();
    return {};
}

Result<RoleNow> readRole(std::string_view line) {
    return read(line, [](const json& answer) {
        needsOk(answer);
        return RoleNow{needed<std::string>(answer, "role"), field<std::int64_t>(answer, "term"),
                       field<std::string>(answer, "leader"), field<std::string>(answer, "why")};
    });
}

Result<ServerStatus> readStatus(std::string_view line) {
    return read(line, statusIn);
}

Result<std::variant<ClientLine, EndLine>> readClientsLine(std::string_view line) {
    return read(line, [](const json& answer) -> std::variant<ClientLine, EndLine> {
        if (field<bool>(answer, "end")) return EndLine{needed<std::int64_t>(answer, "clients")};
        return ClientLine{needed<std::string>(answer, "client"),
                          field<std::int64_t>(answer, "registrations")};
    });
}

Result<ClientDetails> readClientDetails(std::string_view line) {
    return read(line, [](const json& answer) {
        needsOk(answer);
        ClientDetails details{needed<std::string>(answer, "client"), field<std::int64_t>(answer, "id"), {}};
        for (const auto& entry : needed<std::vector<json>>(answer, "events"))
            details.events.push_back(eventIn(entry));
        return details;
    });
}

Result<std::optional<Restored>> readRestored(std::string_view line) {
    return read(line, [](const json& answer) -> std::optional<Restored> {
        if (field<bool>(answer, "working")) return std::nullopt;
        needsOk(answer);
        return Restored{needed<std::int64_t>(answer, "clients"), needed<std::int64_t>(answer, "removals")};
    });
}

Result<AccessVerdict> readAccessVerdict(std::string_view line) {
    return read(line, [](const json& answer) {
        needsOk(answer);
        return AccessVerdict{.address = needed<std::string>(answer, "address"),
                             .allowed = needed<bool>(answer, "allowed"),
                             .list = field<std::string>(answer, "list"),
                             .entry = field<std::string>(answer, "entry"),
                             .network = field<std::string>(answer, "network"),
                             .text = field<std::string>(answer, "text")};
    });
}

}  // namespace crnpd::crnpctl
