// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/control_answers.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "tools/crnpctl/printable.h"

namespace crnpd::crnpctl {
namespace {

using nlohmann::json;

// What is asked for contains no text but addresses and what XML can carry, so dump() cannot meet broken
// UTF-8.
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

template <typename T>
std::optional<T> optionalField(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) return std::nullopt;
    return found->get<T>();
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
    if (field<bool>(answer, "unknown")) return {ErrorCode::superseded, std::move(text)};
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

std::vector<NvPair> pairsIn(const json& entry) {
    std::vector<NvPair> pairs;
    for (const auto& pair : field<std::vector<json>>(entry, "pairs")) {
        pairs.push_back(
            {needed<std::string>(pair, "name"), needed<std::vector<std::string>>(pair, "values")});
    }
    return pairs;
}

EventRegistration eventIn(const json& entry) {
    EventRegistration event;
    event.eventClass = needed<std::string>(entry, "class");
    if (entry.contains("subclass") && !entry["subclass"].is_null()) {
        event.subclass = entry["subclass"].get<std::string>();
    }
    event.pairs = pairsIn(entry);
    return event;
}

Progress progressIn(const json& entry) {
    Progress progress{.position = field<std::int64_t>(entry, "position"),
                      .waiting = field<std::int64_t>(entry, "waiting"),
                      .failures = field<std::int64_t>(entry, "failures"),
                      .isUnderWay = field<bool>(entry, "under_way"),
                      .isGivenUp = field<bool>(entry, "given_up"),
                      .nextIn = optionalField<std::int64_t>(entry, "next_in_ms"),
                      .attempts = {}};
    for (const auto& attempt : field<std::vector<json>>(entry, "attempts")) {
        progress.attempts.push_back({field<std::string>(attempt, "time"),
                                     field<std::int64_t>(attempt, "sequence"),
                                     field<std::string>(attempt, "result")});
    }
    return progress;
}

EventLine eventLineIn(const json& answer) {
    return {.sequence = needed<std::int64_t>(answer, "sequence"),
            .event = {needed<std::string>(answer, "class"), needed<std::string>(answer, "subclass"),
                      field<std::string>(answer, "vendor"), field<std::string>(answer, "publisher"),
                      pairsIn(answer)},
            .wanted = field<std::int64_t>(answer, "wanted"),
            .delivered = field<std::int64_t>(answer, "delivered")};
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

std::string publishRequest(const Event& event) {
    auto pairs = json::array();
    for (const auto& pair : event.pairs)
        pairs.push_back({{"name", pair.name}, {"values", pair.values}});
    json fields{{"class", event.eventClass},
                {"subclass", event.subclass},
                {"publisher", event.publisher},
                {"pairs", std::move(pairs)}};
    if (!event.vendor.empty()) fields["vendor"] = event.vendor;
    return requestOf({{"request", "publish"}, {"event", std::move(fields)}});
}
std::string eventsRequest(std::size_t most) {
    return requestOf({{"request", "events"}, {"most", most}});
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
        ClientDetails details{.client = needed<std::string>(answer, "client"),
                              .id = field<std::int64_t>(answer, "id"),
                              .events = {},
                              .via = field<std::string>(answer, "via"),
                              .head = optionalField<std::int64_t>(answer, "head")};
        if (const auto progress = optionalField<json>(answer, "progress"))
            details.progress = progressIn(*progress);
        for (const auto& entry : needed<std::vector<json>>(answer, "events"))
            details.events.push_back(eventIn(entry));
        return details;
    });
}

Result<std::int64_t> readPublished(std::string_view line) {
    return read(line, [](const json& answer) {
        needsOk(answer);
        return needed<std::int64_t>(answer, "sequence");
    });
}

Result<EventsHead> readEventsHead(std::string_view line) {
    return read(line, [](const json& answer) {
        needsOk(answer);
        return EventsHead{needed<std::int64_t>(answer, "head"), needed<std::int64_t>(answer, "mark"),
                          field<std::int64_t>(answer, "laggards"), field<std::int64_t>(answer, "behind")};
    });
}

Result<std::variant<EventLine, EventsEnd>> readEventsLine(std::string_view line) {
    return read(line, [](const json& answer) -> std::variant<EventLine, EventsEnd> {
        if (field<bool>(answer, "end")) return EventsEnd{needed<std::int64_t>(answer, "events")};
        return eventLineIn(answer);
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
