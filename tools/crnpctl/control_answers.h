// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The requests and answers of the control socket as values: the only code of crnpctl that looks into JSON,
// apart from the output of a reply as JSON (printing.h). docs/operations.md describes the protocol.
//
// Promise    A line that is a refusal becomes the error, with its text: notFound for the code NOT_FOUND, else
//            cancelled; superseded where it says that nobody knows whether it was done. A line that is no
//            such answer at all becomes `damaged`. Keys that are not known are not looked at: a newer server
//            may say more.
// Threads    Free functions without state; no library exception leaves them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/address.h"
#include "common/message.h"
#include "common/result.h"

namespace crnpd::crnpctl {

[[nodiscard]] std::string statusRequest();
[[nodiscard]] std::string roleRequest();
[[nodiscard]] std::string stepDownRequest();
[[nodiscard]] std::string clientsRequest();
[[nodiscard]] std::string dumpRequest();
[[nodiscard]] std::string restoreRequest();
[[nodiscard]] std::string clientShowRequest(const CallbackAddress& client);
[[nodiscard]] std::string clientRemoveRequest(const CallbackAddress& client);
[[nodiscard]] std::string accessTestRequest(const IpAddress& address);
// Every text of the event must be one that XML can carry.
[[nodiscard]] std::string publishRequest(const Event& event);
[[nodiscard]] std::string eventsRequest(std::size_t most);

struct ServerStatus {
    std::string version;
    std::int64_t pid = 0;
    std::string role;
    std::string reason;  // why it has this role
    std::int64_t term = 0;
    std::string leader;
    std::string why;  // why it is not active
    std::string storeKind;
    std::string storePath;
    std::int64_t revision = 0;
    std::int64_t clients = 0;
    std::int64_t removals = 0;
    std::int64_t connections = 0;
    std::vector<std::string> listen;
    std::int64_t uptimeSeconds = 0;
    std::map<std::string, std::int64_t> replies;  // how many of each code since the start
};

struct RoleNow {
    std::string role;
    std::int64_t term = 0;
    std::string leader;  // while this server is not active, if known
    std::string why;     // why it is not
};

struct ClientLine {
    std::string client;
    std::int64_t registrations = 0;
};
struct EndLine {
    std::int64_t clients = 0;
};

// How far the delivery to a client is.
struct Progress {
    struct Attempt {
        std::string time;
        std::int64_t sequence = 0;  // the event's
        std::string result;
    };

    std::int64_t position = 0;  // it has everything up to here
    std::int64_t waiting = 0;   // events
    std::int64_t failures = 0;  // in a row
    bool isUnderWay = false;
    bool isGivenUp = false;              // its removal is under way
    std::optional<std::int64_t> nextIn;  // milliseconds until the next attempt
    std::vector<Attempt> attempts;       // the last ones
};

struct ClientDetails {
    std::string client;
    std::int64_t id = 0;
    std::vector<EventRegistration> events;
    std::string via{};                   // the server's address that events come from; empty: not known
    std::optional<std::int64_t> head{};  // the last number that was given
    std::optional<Progress> progress{};
};

struct EventsHead {
    std::int64_t head = 0;
    std::int64_t mark = 0;  // everybody but the laggards has everything up to here
    std::int64_t laggards = 0;
    std::int64_t behind = 0;  // clients that do not have everything
};
struct EventLine {
    std::int64_t sequence = 0;
    Event event;
    std::int64_t wanted = 0;  // by so many clients
    std::int64_t delivered = 0;
};
struct EventsEnd {
    std::int64_t events = 0;
};

struct Restored {
    std::int64_t clients = 0;
    std::int64_t removals = 0;
};

struct AccessVerdict {
    std::string address;
    bool allowed = false;
    std::string list;     // the setting that decides
    std::string entry;    // its entry
    std::string network;  // what the entry stands for
    std::string text;     // for a person
};

// Any answer: is it a refusal?
[[nodiscard]] Result<void> readAccepted(std::string_view line);
[[nodiscard]] Result<RoleNow> readRole(std::string_view line);
[[nodiscard]] Result<ServerStatus> readStatus(std::string_view line);
[[nodiscard]] Result<std::variant<ClientLine, EndLine>> readClientsLine(std::string_view line);
[[nodiscard]] Result<ClientDetails> readClientDetails(std::string_view line);
// The event's number.
[[nodiscard]] Result<std::int64_t> readPublished(std::string_view line);
[[nodiscard]] Result<EventsHead> readEventsHead(std::string_view line);
[[nodiscard]] Result<std::variant<EventLine, EventsEnd>> readEventsLine(std::string_view line);
// Nothing while the server is still at work.
[[nodiscard]] Result<std::optional<Restored>> readRestored(std::string_view line);
[[nodiscard]] Result<AccessVerdict> readAccessVerdict(std::string_view line);

}  // namespace crnpd::crnpctl
