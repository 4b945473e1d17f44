// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/listen_command.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/xml/event_reader.h"
#include "common/xml/registration_writer.h"
#include "common/xml/runtime.h"
#include "tools/crnpctl/await.h"
#include "tools/crnpctl/client_commands.h"
#include "tools/crnpctl/deadline.h"
#include "tools/crnpctl/event_listener.h"
#include "tools/crnpctl/event_printer.h"
#include "tools/crnpctl/printable.h"

namespace crnpd::crnpctl {
namespace {

using namespace std::chrono_literals;

constexpr auto leavingTime = 10s;

bool isAnyAddress(const IpAddress& address) {
    const auto bytes = address.bytes();
    return std::all_of(bytes.begin(), bytes.end(), [](auto byte) { return byte == 0; });
}

std::string textOf(const Reply& reply) {
    return std::string(name(reply.code)) + (reply.text.empty() ? "" : ": " + reply.text);
}

std::string textOf(const Error& error) {
    return error.line == 0 ? error.text : fmt::format("line {}: {}", error.line, error.text);
}

ExitStatus statusOf(const Error& error) {
    return error.code == ErrorCode::invalid ? ExitStatus::unknownReply : ExitStatus::failed;
}

class Listening {
public:
    Listening(const ListenCommand& command, const Process& process, EventListener listener)
        : command_(command),
          process_(process),
          options_(command.options),
          listener_(std::move(listener)),
          printer_(process.out, command.form),
          meanwhile_{process.stop ? process.stop() : -1, listener_.fd(),
                     [this] { return listener_.turnAway(); }} {
        // The server calls back where the registration came from, and that must be where we listen.
        const auto& address = command.address;
        if (address && !isAnyAddress(*address) && !options_.exchange.source)
            options_.exchange.source = address;
    }

    ExitStatus run() {
        const auto& address = listener_.address();
        say("listening on " + address.text() + (command_.address ? "" : " (all addresses)"));
        const auto reply = ask(RegistrationType::addClient, std::nullopt);
        if (!reply && reply.error().code == ErrorCode::cancelled) return stopped();
        if (!reply) {
            say("not registered: " + reply.error().text);
            return statusOf(reply.error());
        }
        const bool registered = reply->reply.code == StatusCode::ok;
        say(fmt::format("{} at {}: {}", registered ? "registered" : "not registered", server_.text(),
                        textOf(reply->reply)));
        if (!registered) return exitStatusOf(reply->reply.code);
        const auto received = receive();
        const auto left = leave();
        return received == ExitStatus::ok ? left : received;
    }

private:
    // The server may have heard of a registration whose reply has not come.
    ExitStatus stopped() {
        if (source_) {
            (void)leave();
        } else {
            say("stopped before the server heard of us");
        }
        return ExitStatus::ok;
    }

    ExitStatus receive() {
        const auto ended = listener_.run(
            meanwhile_.stop,
            {.onDocument = [this](const auto& peer, auto document) { return take(peer, document); },
             .onProblem = [this](auto problem) { say(problem); }});
        if (ended) return ExitStatus::ok;
        say(ended.error().text);
        return ExitStatus::failed;
    }

    EventListener::Verdict take(const SocketAddress& peer, std::string_view document) {
        using Verdict = EventListener::Verdict;
        const auto event = reader_.parse(document);
        if (!event) {
            say(fmt::format("{}: no event that can be read: {}", peer.text(), textOf(event.error())));
            return Verdict::more;
        }
        if (!printer_.print(clock_.wall(), *event, document)) return Verdict::refused;
        ++events_;
        return command_.count && events_ >= *command_.count ? Verdict::last : Verdict::more;
    }

    ExitStatus leave() {
        takeStop();
        const auto reply = ask(RegistrationType::removeClient, Deadline(leavingTime));
        if (!reply) {
            say(
                fmt::format("not unregistered: {}. The server forgets this client when it cannot deliver; "
                            "`crnpctl unregister --port {}` does it at once",
                            reply.error().text, listener_.address().port));
            return statusOf(reply.error());
        }
        const bool done = reply->reply.code == StatusCode::ok;
        say(fmt::format("{} at {}: {}", done ? "unregistered" : "not unregistered", server_.text(),
                        textOf(reply->reply)));
        return exitStatusOf(reply->reply.code);
    }

    // The stop that brought us here is over; the next one is another.
    void takeStop() const {
        if (!isStopped()) return;
        char byte = 0;
        (void)::read(meanwhile_.stop, &byte, 1);
    }

    [[nodiscard]] bool isStopped() const {
        return await(-1, 0, Deadline(0ms), {meanwhile_.stop, -1, {}}).stopped;
    }

    // As `crnpctl register` asks, until it is answered, stopped (cancelled) or `end` has come.
    Result<FinalReply> ask(RegistrationType type, const std::optional<Deadline>& end) {
        const auto atMost = [&](std::chrono::milliseconds time) {
            return end ? std::min<std::chrono::milliseconds>(time, std::chrono::milliseconds(end->forPoll()))
                       : time;
        };
        const Outside outside{
            .resolve = [&]() -> Result<std::vector<SocketAddress>> {
                if (isStopped()) return Error{ErrorCode::cancelled, "stopped"};
                if (end && end->forPoll() == 0) return Error{ErrorCode::io, "no reply within 10 s"};
                return reachable(options_);
            },
            .exchange =
                [&](const SocketAddress& server, std::string_view bytes) {
                    return talk(server, bytes, atMost(options_.exchange.timeout));
                },
            .pause =
                [&](std::chrono::milliseconds pause) {
                    // Stopped or not: the next attempt sees for itself.
                    (void)await(-1, 0, Deadline(atMost(pause)), meanwhile_);
                },
        };
        RegistrationMessage message{type, listener_.address().port, {}};
        if (type == RegistrationType::addClient) message.events = command_.message.events;
        return PatientClient(options_.patience, outside, process_.err).send(xml::writeRegistration(message));
    }

    Result<Answer> talk(const SocketAddress& server, std::string_view bytes,
                        std::chrono::milliseconds timeout) {
        auto options = options_.exchange;
        options.timeout = timeout;
        // The port is ours and the address must stay what it was: the two are who we are.
        if (source_) options.source = source_;
        auto answer = exchange(server, bytes, options, meanwhile_);
        if (!answer) return answer;
        if (answer->connected) {
            source_ = answer->source;
            server_ = server;
        }
        if (answer->cancelled) return Error{ErrorCode::cancelled, "stopped"};
        return answer;
    }

    void say(std::string_view text) { process_.err << "crnpctl: " << printable(text) << std::endl; }

    const ListenCommand& command_;
    const Process& process_;
    ClientOptions options_;
    const xml::Runtime runtime_;
    xml::EventReader reader_{runtime_};
    const SystemClock clock_;
    EventListener listener_;
    EventPrinter printer_;
    Meanwhile meanwhile_;
    std::optional<IpAddress> source_;  // who the server took us for, once it heard of us
    SocketAddress server_;             // that did
    std::uint64_t events_ = 0;
};

}  // namespace

ExitStatus carryOut(const ListenCommand& command, const Process& process) {
    auto listener = EventListener::open(command.address, command.message.port, {});
    if (!listener) {
        process.err << "crnpctl: " << printable(listener.error().text) << std::endl;
        return ExitStatus::failed;
    }
    return Listening(command, process, *std::move(listener)).run();
}

}  // namespace crnpd::crnpctl
