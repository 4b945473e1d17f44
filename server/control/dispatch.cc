// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/dispatch.h"

#include <array>
#include <utility>

#include <unistd.h>

#include "common/dump/events_json.h"
#include "common/messages.h"
#include "common/version.h"
#include "server/control/dump_requests.h"
#include "server/control/event_requests.h"
#include "server/control/json_line.h"

namespace crnpd::control {
namespace {

Json invalid(const std::string& text) {
    return refusal({ErrorCode::invalidArgument, text});
}

// The text value of `name`; empty where there is none, which no argument may be.
std::string argument(const Json& request, const char* name) {
    const auto found = request.find(name);
    return found != request.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

void status(const Json&, Operations& operations, const Peer& peer) {
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
    peer.write(line(json));
}

void role(const Json&, Operations& operations, const Peer& peer) {
    const auto now = operations.role();
    peer.write(line({{"ok", true},
                     {"role", now.role},
                     {"reason", now.reason},
                     {"term", now.term},
                     {"leader", now.leader},
                     {"why", now.why}}));
}

void stepDown(const Json&, Operations& operations, const Peer& peer) {
    const auto begun = operations.stepDown();
    if (!begun) {
        peer.write(line(refusal(begun.error())));
        return;
    }
    peer.write(line({{"ok", true}}));
}

void clients(const Json&, Operations& operations, const Peer& peer) {
    const auto all = operations.clients();
    if (!all) {
        peer.write(line(refusal(all.error())));
        return;
    }
    if (!peer.write(line({{"ok", true}}))) return;
    for (const auto& [client, registrations] : *all) {
        if (!peer.write(line({{"client", client.text()}, {"registrations", registrations}}))) return;
    }
    peer.write(line({{"end", true}, {"clients", all->size()}}));
}

void clientShow(const Json& request, Operations& operations, const Peer& peer) {
    const auto address = CallbackAddress::parse(argument(request, "client"));
    const auto details = address ? operations.client(*address) : Result<ClientDetails>(address.error());
    if (!details) {
        peer.write(line(refusal(details.error())));
        return;
    }
    Json json{{"ok", true},
              {"client", details->client.text()},
              {"id", details->id},
              {"events", dump::eventsJson(details->events)}};
    if (details->via != IpAddress{}) json["via"] = details->via.text();
    json["head"] = details->head;
    if (details->progress) json["progress"] = progressJson(*details->progress);
    peer.write(line(json));
}

void clientRemove(const Json& request, Operations& operations, const Peer& peer) {
    const auto address = CallbackAddress::parse(argument(request, "client"));
    if (!address) {
        peer.write(line(refusal(address.error())));
        return;
    }
    const auto reply = operations.remove(*address);
    if (!reply) {
        peer.write(line(refusal(reply.error())));
        return;
    }
    log(msg::removedByOperator, address->text(), name(reply->code));
    if (reply->code == StatusCode::ok) {
        peer.write(line({{"ok", true}, {"text", reply->text}}));
    } else {
        peer.write(line({{"ok", false}, {"error", reply->text}, {"code", name(reply->code)}}));
    }
}

void accessTest(const Json& request, Operations& operations, const Peer& peer) {
    const auto address = IpAddress::parse(argument(request, "address"));
    if (!address) {
        peer.write(line(refusal(address.error())));
        return;
    }
    const auto answer = operations.access(*address);
    peer.write(line({{"ok", true},
                     {"address", address->text()},
                     {"allowed", answer.allowed},
                     {"list", answer.list},
                     {"entry", answer.entry},
                     {"network", answer.network},
                     {"text", answer.text}}));
}

void dumpAll(const Json&, Operations& operations, const Peer& peer) {
    sendDump(operations, peer);
}

void restore(const Json&, Operations& operations, const Peer& peer) {
    takeDump(operations, peer);
}

using Verb = void (*)(const Json&, Operations&, const Peer&);
constexpr std::array<std::pair<std::string_view, Verb>, 11> verbs{{{"status", status},
                                                                   {"role", role},
                                                                   {"step-down", stepDown},
                                                                   {"clients", clients},
                                                                   {"client-show", clientShow},
                                                                   {"client-remove", clientRemove},
                                                                   {"access-test", accessTest},
                                                                   {"publish", publish},
                                                                   {"events", events},
                                                                   {"dump", dumpAll},
                                                                   {"restore", restore}}};

}  // namespace

void dispatch(std::string_view request, Operations& operations, const Peer& peer) {
    const auto json = Json::parse(request, nullptr, false);
    if (!json.is_object()) {
        peer.write(
            line(invalid("a request is one line with a JSON object, such as {\"request\":\"status\"}")));
        return;
    }
    const auto wanted = argument(json, "request");
    for (const auto& [name, verb] : verbs) {
        if (name == wanted) return verb(json, operations, peer);
    }
    std::string known;
    for (const auto& [name, verb] : verbs)
        known += (known.empty() ? "" : ", ") + std::string(name);
    peer.write(line(invalid("\"" + wanted + "\" is no request; there are " + known)));
}

}  // namespace crnpd::control
