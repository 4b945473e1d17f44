// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/dispatch.h"

#include <array>
#include <utility>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "common/messages.h"
#include "common/version.h"

namespace crnpd::control {
namespace {

using Json = nlohmann::ordered_json;

std::string line(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string_view codeOf(ErrorCode code) {
    switch (code) {
        case ErrorCode::notFound:
            return "NOT_FOUND";
        case ErrorCode::busy:
            return "STANDBY";
        case ErrorCode::invalidArgument:
            return "INVALID";
        default:
            return "FAIL";
    }
}

Json refusal(const Error& error) {
    return {{"ok", false}, {"error", error.text}, {"code", codeOf(error.code)}};
}

Json invalid(const std::string& text) {
    return refusal({ErrorCode::invalidArgument, text});
}

// The text value of `name`; empty where there is none, which no argument may be.
std::string argument(const Json& request, const char* name) {
    const auto found = request.find(name);
    return found != request.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

void status(const Json&, Operations& operations, const WriteLine& write) {
    const auto now = operations.status();
    Json json{{"ok", true},
              {"version", version},
              {"pid", ::getpid()},
              {"role", now.role.role},
              {"reason", now.role.reason},
              {"term", now.role.term},
              {"leader", now.role.leader},
              {"why", now.role.why},
              {"store", {{"kind", now.storeKind}, {"path", now.storePath}}},
              {"revision", now.revision},
              {"clients", now.clients},
              {"removals", now.removals},
              {"connections", now.connections},
              {"listen", now.listen},
              {"uptime_seconds", now.uptimeSeconds},
              {"replies", Json::object()}};
    for (const auto& [code, count] : now.replies)
        json["replies"][code] = count;
    write(line(json));
}

void role(const Json&, Operations& operations, const WriteLine& write) {
    const auto now = operations.role();
    write(line({{"ok", true},
                {"role", now.role},
                {"reason", now.reason},
                {"term", now.term},
                {"leader", now.leader},
                {"why", now.why}}));
}

void stepDown(const Json&, Operations& operations, const WriteLine& write) {
    const auto begun = operations.stepDown();
    if (!begun) {
        write(line(refusal(begun.error())));
        return;
    }
    write(line({{"ok", true}}));
}

void clients(const Json&, Operations& operations, const WriteLine& write) {
    const auto all = operations.clients();
    if (!all) {
        write(line(refusal(all.error())));
        return;
    }
    if (!write(line({{"ok", true}}))) return;
    for (const auto& [client, registrations] : *all) {
        if (!write(line({{"client", client.text()}, {"registrations", registrations}}))) return;
    }
    write(line({{"end", true}, {"clients", all->size()}}));
}

Json eventsJson(const std::vector<EventRegistration>& events) {
    Json list = Json::array();
    for (const auto& event : events) {
        Json pairs = Json::array();
        for (const auto& pair : event.pairs)
            pairs.push_back({{"name", pair.name}, {"values", pair.values}});
        list.push_back({{"class", event.eventClass},
                        {"subclass", event.subclass ? Json(*event.subclass) : Json(nullptr)},
                        {"pairs", std::move(pairs)}});
    }
    return list;
}

void clientShow(const Json& request, Operations& operations, const WriteLine& write) {
    const auto address = CallbackAddress::parse(argument(request, "client"));
    const auto details = address ? operations.client(*address) : Result<ClientDetails>(address.error());
    if (!details) {
        write(line(refusal(details.error())));
        return;
    }
    write(line({{"ok", true},
                {"client", details->client.text()},
                {"id", details->id},
                {"events", eventsJson(details->events)}}));
}

void clientRemove(const Json& request, Operations& operations, const WriteLine& write) {
    const auto address = CallbackAddress::parse(argument(request, "client"));
    if (!address) {
        write(line(refusal(address.error())));
        return;
    }
    const auto reply = operations.remove(*address);
    if (!reply) {
        write(line(refusal(reply.error())));
        return;
    }
    log(msg::removedByOperator, address->text(), name(reply->code));
    if (reply->code == StatusCode::ok) {
        write(line({{"ok", true}, {"text", reply->text}}));
    } else {
        write(line({{"ok", false}, {"error", reply->text}, {"code", name(reply->code)}}));
    }
}

void accessTest(const Json& request, Operations& operations, const WriteLine& write) {
    const auto address = IpAddress::parse(argument(request, "address"));
    if (!address) {
        write(line(refusal(address.error())));
        return;
    }
    const auto answer = operations.access(*address);
    write(line({{"ok", true},
                {"address", address->text()},
                {"allowed", answer.allowed},
                {"list", answer.list},
                {"entry", answer.entry},
                {"network", answer.network},
                {"text", answer.text}}));
}

using Verb = void (*)(const Json&, Operations&, const WriteLine&);
constexpr std::array<std::pair<std::string_view, Verb>, 7> verbs{{{"status", status},
                                                                  {"role", role},
                                                                  {"step-down", stepDown},
                                                                  {"clients", clients},
                                                                  {"client-show", clientShow},
                                                                  {"client-remove", clientRemove},
                                                                  {"access-test", accessTest}}};

}  // namespace

void dispatch(std::string_view request, Operations& operations, const WriteLine& write) {
    const auto json = Json::parse(request, nullptr, false);
    if (!json.is_object()) {
        write(line(invalid("a request is one line with a JSON object, such as {\"request\":\"status\"}")));
        return;
    }
    const auto wanted = argument(json, "request");
    for (const auto& [name, verb] : verbs) {
        if (name == wanted) return verb(json, operations, write);
    }
    std::string known;
    for (const auto& [name, verb] : verbs)
        known += (known.empty() ? "" : ", ") + std::string(name);
    write(line(invalid("\"" + wanted + "\" is no request; there are " + known)));
}

}  // namespace crnpd::control
