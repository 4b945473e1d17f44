// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/arguments.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

#include "common/missed_events.h"
#include "common/xml/text.h"
#include "tools/crnpctl/event_syntax.h"
#include "tools/crnpctl/help_text.h"

namespace crnpd::crnpctl {
namespace {

constexpr unsigned mostAttempts = 1000;
constexpr std::size_t mostEvents = 1000;  // that a server shows

// An option or a positional whose text `parse` turns into a Result.
template <typename Value, typename Parse>
CLI::Option* addParsed(CLI::App& app, const std::string& name, Value& target, Parse parse,
                       const std::string& help) {
    return app.add_option_function<std::string>(
        name,
        [&target, parse, name](const std::string& text) {
            auto parsed = parse(text);
            if (!parsed) throw CLI::ValidationError(name, parsed.error().text);
            target = *std::move(parsed);
        },
        help);
}

class CommandLine {
public:
    explicit CommandLine(const std::string& version)
        : app_("Try CRNP as a client, and look at a running crnpd.", "crnpctl") {
        app_.set_version_flag("--version", "crnpctl " + version);
        app_.require_subcommand(1);
        app_.footer(examplesHelp() + "\n" + exitStatusHelp());
        app_.add_option("--socket", control_.socket, "The control socket; the same as behind the command");
        addRegistration("register", RegistrationType::addClient,
                        "Register a client (ADD_CLIENT), replacing what it had registered");
        addRegistration("add-events", RegistrationType::addEvents, "Add event registrations (ADD_EVENTS)");
        addRegistration("remove-events", RegistrationType::removeEvents,
                        "Remove event registrations (REMOVE_EVENTS)");
        addRegistration("unregister", RegistrationType::removeClient, "Remove the client (REMOVE_CLIENT)");
        addSend();
        addListen();
        addStatusAndClients();
        addClient();
        addAccess();
        addDumpAndRestore();
        addPublish();
        addEventsCommand();
    }

    std::variant<Command, Saying> parse(std::vector<std::string> arguments) {
        std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
        try {
            app_.parse(std::move(arguments));
        } catch (const CLI::ParseError& stopped) {
            std::ostringstream out;
            std::ostringstream err;
            const bool asked = app_.exit(stopped, out, err) == 0;
            if (asked) return Saying{out.str(), err.str(), ExitStatus::ok};
            return Saying{out.str(), "crnpctl: " + err.str(), ExitStatus::usage};
        }
        return make_();
    }

private:
    CLI::App* addCommand(CLI::App& parent, const std::string& name, const std::string& help,
                         std::function<Command()> make) {
        auto* const command = parent.add_subcommand(name, help);
        command->callback([this, make = std::move(make)] { make_ = make; });
        return command;
    }

    // How to reach the server, and for how long to try.
    void addServerOptions(CLI::App& command) {
        addParsed(command, "--server", client_.server, ServerName::parse,
                  "The server, HOST:PORT with a name or an address, [IPv6]:PORT; " + ServerName().text() +
                      " if not given")
            ->type_name("HOST:PORT");
        addParsed(command, "--source", client_.exchange.source, &CommandLine::parseSource,
                  "The local address to connect from; together with the port it is the client's identity")
            ->type_name("ADDRESS");
        addParsed(command, "--timeout", client_.exchange.timeout, parseDuration,
                  "Time limit of one attempt at one address; 10s if not given")
            ->type_name("DURATION");
        command.add_option("--attempts", client_.patience.attempts, "How often to try; 5 if not given")
            ->check(CLI::Range(1U, mostAttempts))
            ->type_name("N");
    }

    void addClientOptions(CLI::App& command) {
        addServerOptions(command);
        auto* const raw = command.add_flag_callback(
            "--raw", [this] { client_.form = ReplyForm::xml; }, "Print the reply's XML as it came");
        command
            .add_flag_callback(
                "--json", [this] { client_.form = ReplyForm::json; }, "Print the reply as JSON")
            ->excludes(raw);
    }

    void addRegistration(const std::string& name, RegistrationType type, const std::string& help) {
        auto* const command = addCommand(app_, name, help, [this, type] {
            message_.type = type;
            return RegistrationCommand{client_, message_};
        });
        addClientOptions(*command);
        command->add_option("--port", message_.port, "The client's callback port, where it takes events")
            ->required()
            ->check(CLI::Range(1U, unsigned{std::numeric_limits<std::uint16_t>::max()}))
            ->type_name("N");
        if (type == RegistrationType::removeClient) {
            command->footer(repetitionHelp() + "\n" + exitStatusHelp());
            return;
        }
        addEvents(*command)->required(type != RegistrationType::addClient);
        command->footer(eventSyntaxHelp() + "\n" + repetitionHelp() + "\n" + exitStatusHelp());
    }

    CLI::Option* addEvents(CLI::App& command) {
        return command
            .add_option_function<std::vector<std::string>>(
                "--event", [this](const std::vector<std::string>& texts) { parseEvents(texts); },
                "Which events, CLASS[/SUBCLASS][:NAME=VALUE,...]; may be repeated, see below")
            ->allow_extra_args(false)
            ->type_name("EVENT");
    }

    void addListen() {
        auto* const command =
            addCommand(app_, "listen", "Register, print the events that come, unregister", [this] {
                return ListenCommand{client_, message_, listenAddress_, form_, count_};
            });
        addServerOptions(*command);
        command
            ->add_option("--port", message_.port, "Where to take events; 0 is any free port, which is said")
            ->required()
            ->type_name("N");
        addParsed(*command, "--address", listenAddress_, &CommandLine::parseSource,
                  "The local address to listen on; all if not given")
            ->type_name("ADDRESS");
        addEvents(*command);
        command->add_option("--count", count_, "End after so many events")
            ->check(CLI::Range(std::uint64_t{1}, std::numeric_limits<std::uint64_t>::max()))
            ->type_name("N");
        auto* const xml = command->add_flag_callback(
            "--xml", [this] { form_ = EventForm::xml; }, "Print each event's XML as it came");
        command
            ->add_flag_callback(
                "--json", [this] { form_ = EventForm::json; }, "Print each event as a line of JSON")
            ->excludes(xml);
        command->footer(listenHelp() + "\n" + eventSyntaxHelp() + "\n" + repetitionHelp() + "\n" +
                        exitStatusHelp());
    }

    void addSend() {
        auto* const command =
            addCommand(app_, "send", "Send a file's bytes as they are and print the reply", [this] {
                return SendCommand{client_, file_};
            });
        addClientOptions(*command);
        command->add_option("FILE", file_, "The document; - is the standard input")
            ->required()
            ->type_name("");
        command->add_option("--split", client_.exchange.split, "Write so many bytes at a time")
            ->check(CLI::Range(std::size_t{1}, SendCommand::longest))
            ->type_name("N");
        command->add_flag("--half-close", client_.exchange.halfClose,
                          "Shut down our direction of the connection behind the document");
        command->footer(repetitionHelp() + "\n" + exitStatusHelp());
    }

    CLI::App* addControlCommand(CLI::App& parent, const std::string& name, const std::string& help,
                                std::function<Command()> make) {
        auto* const command = addCommand(parent, name, help, std::move(make));
        command
            ->add_option("--socket", control_.socket,
                         "crnpd's control socket; " + ControlOptions().socket + " if not given")
            ->type_name("PATH");
        addParsed(*command, "--timeout", control_.timeout, parseDuration,
                  "How long the server may be silent; 10s if not given")
            ->type_name("DURATION");
        command->add_flag("--json", control_.json,
                          "Print the server's answer as it is, one JSON object a line");
        command->footer(controlExitStatusHelp());
        return command;
    }

    void addStatusAndClients() {
        addControlCommand(app_, "status", "Show the server's role, store, and counts",
                          [this] { return StatusCommand{control_}; });
        auto* const role =
            addControlCommand(app_, "role", "Print the server's role; exit status 0 only if it is active",
                              [this] { return RoleCommand{control_}; });
        role->footer(roleExitStatusHelp());
        auto* const stepDown = addControlCommand(
            app_, "step-down", "Hand over to another server, and wait until that is done", [this] {
                return StepDownCommand{control_, wait_};
            });
        addParsed(*stepDown, "--wait", wait_, parseDuration,
                  "How long it may stay active meanwhile; 60s if not given")
            ->type_name("DURATION");
        stepDown->footer(stepDownHelp() + "\n" + controlExitStatusHelp());
        addControlCommand(app_, "clients", "List the registered clients",
                          [this] { return ClientsCommand{control_}; });
    }

    void addClient() {
        auto* const client = app_.add_subcommand("client", "Show or remove one client");
        client->require_subcommand(1);
        auto* const show = addControlCommand(*client, "show", "Show a client's registrations", [this] {
            return ClientShowCommand{control_, address_};
        });
        auto* const remove =
            addControlCommand(*client, "remove", "Remove a client, as REMOVE_CLIENT does", [this] {
                return ClientRemoveCommand{control_, address_};
            });
        for (auto* const command : {show, remove}) {
            addParsed(*command, "ADDRESS:PORT", address_, SocketAddress::parse,
                      "The client's callback address")
                ->required()
                ->type_name("");
        }
    }

    void addAccess() {
        auto* const access = app_.add_subcommand("access", "Ask who may register");
        access->require_subcommand(1);
        auto* const test = addControlCommand(
            *access, "test", "Say whether an address may register, and which entry decides", [this] {
                return AccessTestCommand{control_, tested_};
            });
        addParsed(*test, "ADDRESS", tested_, IpAddress::parse, "The client's IP address")
            ->required()
            ->type_name("");
    }

    void addDumpAndRestore() {
        auto* const dump = addControlCommand(
            app_, "dump", "Write all registrations as lines of JSON with a checksum", [this] {
                return DumpCommand{control_, file_};
            });
        dump->add_option("--output", file_,
                         "The file to write, as FILE.new until it is whole; the standard output if not given")
            ->type_name("FILE");
        dump->footer(dumpHelp() + "\n" + controlExitStatusHelp());
        auto* const restore = addControlCommand(
            app_, "restore", "Put the registrations of a dump into a store without clients", [this] {
                return RestoreCommand{control_, file_};
            });
        restore->add_option("FILE", file_, "The dump; - is the standard input")->required()->type_name("");
        restore->footer(restoreHelp() + "\n" + controlExitStatusHelp());
    }

    void addPublish() {
        auto* const command =
            addControlCommand(app_, "publish", "Publish an event to the clients that asked for it", [this] {
                return PublishCommand{control_, event_, file_};
            });
        auto* const timeout = command->get_option("--timeout");
        timeout->description("How long the server may be silent; 30s if not given");
        command->get_option("--json")->description("Print the number as JSON: {\"sequence\":17}");
        auto* const file = command->add_option(
            "--file", file_,
            "A file that holds an SC_EVENT, instead of the options below; - is the standard input");
        file->type_name("FILE");
        const auto addText = [&](const std::string& name, std::string& target, const std::string& help) {
            auto* const option = addParsed(*command, name, target, parseText, help);
            option->excludes(file)->type_name("TEXT");
            return option;
        };
        auto* const eventClass = addText("--class", event_.eventClass, "The class, such as EC_Cluster");
        auto* const subclass =
            addText("--subclass", event_.subclass, "The subclass, such as ESC_cluster_rg_state");
        event_.publisher = "rgm";
        addText("--publisher", event_.publisher, "Who publishes it; rgm if not given");
        addText("--vendor", event_.vendor, "The vendor; the server's setting if not given");
        auto* const pair = command->add_option_function<std::vector<std::string>>(
            "--pair", [this](const std::vector<std::string>& texts) { parsePairs(texts); },
            "A pair NAME=VALUE[,VALUE]...; may be repeated, see below");
        pair->allow_extra_args(false)->excludes(file)->type_name("PAIR");
        auto* const missed =
            addText("--missed", missed_, "Say that events may have been missed, and why; see below");
        missed->excludes(eventClass)->excludes(subclass)->excludes(pair);
        command->parse_complete_callback([this, timeout, file, eventClass, subclass, missed] {
            if (timeout->count() == 0) control_.timeout = PublishCommand::usualTimeout;
            if (missed->count() > 0) return tellMissed();
            if (file->count() == 0 && (eventClass->count() == 0 || subclass->count() == 0))
                throw CLI::RequiredError("--class and --subclass, or --file, or --missed");
        });
        command->footer(publishHelp());
    }

    void addEventsCommand() {
        auto* const command =
            addControlCommand(app_, "events", "Show the last events, and who has them", [this] {
                return EventsCommand{control_, most_, width_};
            });
        command->add_option("--most", most_, "At most so many; 20 if not given")
            ->check(CLI::Range(std::size_t{0}, mostEvents))
            ->type_name("N");
        command
            ->add_option("--width", width_,
                         "Cut lines to so many characters, 0 for none; the terminal's width if not given")
            ->type_name("N");
        command->footer(eventsHelp() + "\n" + controlExitStatusHelp());
    }

    void tellMissed() {
        auto vendor = std::move(event_.vendor);
        event_ = missedEvents(std::move(event_.publisher), std::move(missed_));
        event_.vendor = std::move(vendor);
    }

    // For an event that must be told apart from others by it: an empty one is most often a mistake in a
    // script.
    static Result<std::string> parseText(const std::string& text) {
        if (text.empty())
            return Error{ErrorCode::invalidArgument, "is empty; an event that needs that comes by --file"};
        if (xml::isLegalText(text)) return text;
        return Error{ErrorCode::invalidArgument,
                     xml::quoted(text) + " holds bytes that are no UTF-8 or that XML cannot carry"};
    }

    void parsePairs(const std::vector<std::string>& texts) {
        for (const auto& text : texts) {
            auto pair = parsePair(text);
            if (!pair) throw CLI::ValidationError("--pair", pair.error().text);
            addValues(event_.pairs, *std::move(pair));
        }
    }

    static Result<std::optional<IpAddress>> parseSource(std::string_view text) {
        const auto address = IpAddress::parse(text);
        if (!address) return address.error();
        return std::optional(*address);
    }

    void parseEvents(const std::vector<std::string>& texts) {
        for (const auto& text : texts) {
            auto event = parseEvent(text);
            if (!event) throw CLI::ValidationError("--event", event.error().text);
            message_.events.push_back(*std::move(event));
        }
    }

    CLI::App app_;
    ClientOptions client_;
    RegistrationMessage message_;
    std::optional<IpAddress> listenAddress_;
    EventForm form_ = ListenCommand().form;
    std::optional<std::uint64_t> count_;
    std::string file_;
    ControlOptions control_;
    std::chrono::milliseconds wait_ = StepDownCommand().wait;
    Event event_;
    std::string missed_;
    std::size_t most_ = EventsCommand().most;
    std::optional<std::size_t> width_;
    SocketAddress address_;
    IpAddress tested_;
    std::function<Command()> make_;  // of the command that was named
};

}  // namespace

std::variant<Command, Saying> parseArguments(std::vector<std::string> arguments, const std::string& version) {
    return CommandLine(version).parse(std::move(arguments));
}

Result<std::chrono::milliseconds> parseDuration(std::string_view text) {
    const Error wrong{
        ErrorCode::invalidArgument,
        xml::quoted(text) + " is no duration: a number and ms, s or m, at most an hour (10s, 500ms)"};
    std::int64_t number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto unit = text.substr(static_cast<std::size_t>(stop - text.data()));
    const std::int64_t factor = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : 0;
    constexpr std::chrono::milliseconds longest = std::chrono::hours(1);
    if (error != std::errc{} || factor == 0 || number < 1 || number > longest.count() / factor) return wrong;
    return std::chrono::milliseconds(number * factor);
}

}  // namespace crnpd::crnpctl
