// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What the command line can ask for, and how it is carried out.
//
// Threads    run() blocks until the command is done; one thread.
// Errors     Go to `err` as a line that begins with "crnpctl: "; the status says the rest. Nothing throws but
//            out of memory. Whether `out` took everything is for the caller to look at.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <variant>

#include "common/address.h"
#include "common/message.h"
#include "tools/crnpctl/control_client.h"
#include "tools/crnpctl/event_printer.h"
#include "tools/crnpctl/exchange.h"
#include "tools/crnpctl/exit_status.h"
#include "tools/crnpctl/patient_client.h"
#include "tools/crnpctl/reply_printer.h"
#include "tools/crnpctl/server_name.h"

namespace crnpd::crnpctl {

// Commands that speak CRNP to a server, as a client.

struct ClientOptions {
    ServerName server;
    ExchangeOptions exchange;
    Patience patience;
    ReplyForm form = ReplyForm::text;
};

// register, add-events, remove-events, unregister
struct RegistrationCommand {
    ClientOptions options;
    RegistrationMessage message;
};

struct SendCommand {
    static constexpr std::size_t longest = 256U << 20U;  // in bytes

    ClientOptions options;
    std::string file;  // "-" is the standard input
};

struct ListenCommand {
    ClientOptions options;             // the form of the reply means nothing here
    RegistrationMessage message;       // ADD_CLIENT; port 0 is any free one
    std::optional<IpAddress> address;  // to listen on; nothing is all of them
    EventForm form = EventForm::text;
    std::optional<std::uint64_t> count;  // of events, to end after
};

// Commands that speak to a running server over its control socket.

struct StatusCommand {
    ControlOptions options;
};

struct RoleCommand {
    ControlOptions options;
};

struct StepDownCommand {
    ControlOptions options;
    std::chrono::milliseconds wait{60'000};  // for the server to be no longer active
};

struct ClientsCommand {
    ControlOptions options;
};

struct ClientShowCommand {
    ControlOptions options;
    CallbackAddress client;
};

struct ClientRemoveCommand {
    ControlOptions options;
    CallbackAddress client;
};

struct AccessTestCommand {
    ControlOptions options;
    IpAddress address;
};

struct DumpCommand {
    ControlOptions options;
    std::string output;  // empty is the standard output
};

struct RestoreCommand {
    ControlOptions options;
    std::string file;  // "-" is the standard input
};

struct PublishCommand {
    static constexpr std::size_t longest = 1U << 20U;  // in bytes, as the server takes it
    // Longer than the server waits for a commit: who gives up sooner does not know what became of the event.
    static constexpr std::chrono::milliseconds usualTimeout{30'000};

    ControlOptions options;
    Event event;       // an empty vendor is the server's
    std::string file;  // instead of the event: a document; "-" is the standard input
};

struct EventsCommand {
    ControlOptions options;
    std::size_t most = 20;
    std::optional<std::size_t> width;  // of the table; 0 is any. Nothing: the terminal's
};

using Command = std::variant<RegistrationCommand, SendCommand, ListenCommand, StatusCommand, RoleCommand,
                             StepDownCommand, ClientsCommand, ClientShowCommand, ClientRemoveCommand,
                             AccessTestCommand, DumpCommand, RestoreCommand, PublishCommand, EventsCommand>;

// What a command needs of the process it runs in; a test has its own.
struct Process {
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
    std::function<void(std::chrono::milliseconds)> pause;  // waits that long
    // Asked for once, by a command that goes on until it is told to stop: a descriptor that is readable then,
    // by a byte each time it is told. Empty: nobody will tell it.
    std::function<int()> stop = {};
};

// For the first two commands xml::Runtime must be alive.
[[nodiscard]] ExitStatus run(const Command& command, const Process& process);

}  // namespace crnpd::crnpctl
