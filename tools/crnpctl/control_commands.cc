// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/control_commands.h"

#include <ostream>
#include <string>
#include <string_view>
#include <variant>

#include "tools/crnpctl/control_answers.h"
#include "tools/crnpctl/control_printer.h"
#include "tools/crnpctl/control_talk.h"

namespace crnpd::crnpctl {
namespace {

// Asks, reads the one line with `read`, prints it with `print`, or as it came.
template <typename Read, typename Print>
ExitStatus showOneLine(const std::string& request, const ControlOptions& options, const Process& process,
                       Read read, Print print) {
    const auto line = answerTo(request, options);
    if (!line) return complain(process, line.error());
    const auto answer = read(*line);
    if (!answer) return complain(process, answer.error());
    if (options.json) {
        process.out << *line << '\n';
    } else {
        print(process.out, *answer);
    }
    return ExitStatus::ok;
}

// Ends early when nobody reads our output any more.
Result<void> showClients(ControlClient& control, const ControlOptions& options, std::ostream& out) {
    std::int64_t count = 0;
    if (!options.json) printClientsHeader(out);
    while (out) {
        const auto text = lineOf(control, options.socket);
        if (!text) return text.error();
        const auto line = readClientsLine(*text);
        if (!line) return line.error();
        if (options.json) out << *text << '\n';
        if (std::holds_alternative<EndLine>(*line)) {
            if (!options.json) printClientsEnd(out, count);
            return {};
        }
        if (!options.json) printClientLine(out, std::get<ClientLine>(*line));
        ++count;
    }
    return {};
}

}  // namespace

ExitStatus carryOut(const StatusCommand& command, const Process& process) {
    return showOneLine(statusRequest(), command.options, process, readStatus, printStatus);
}

ExitStatus carryOut(const ClientsCommand& command, const Process& process) {
    auto control = ControlClient::ask(command.options, clientsRequest());
    if (!control) return complain(process, control.error());
    const auto first = lineOf(*control, command.options.socket);
    if (!first) return complain(process, first.error());
    if (const auto accepted = readAccepted(*first); !accepted) return complain(process, accepted.error());
    control->readAhead();

    if (command.options.json) process.out << *first << '\n';
    const auto shown = showClients(*control, command.options, process.out);
    if (shown) return ExitStatus::ok;
    process.out.flush();
    return complain(process, shown.error());
}

ExitStatus carryOut(const ClientShowCommand& command, const Process& process) {
    return showOneLine(clientShowRequest(command.client), command.options, process, readClientDetails,
                       printClientDetails);
}

ExitStatus carryOut(const ClientRemoveCommand& command, const Process& process) {
    return showOneLine(
        clientRemoveRequest(command.client), command.options, process, readAccepted,
        [&](std::ostream& out, const auto&) { out << "removed: " << command.client.text() << '\n'; });
}

ExitStatus carryOut(const AccessTestCommand& command, const Process& process) {
    return showOneLine(accessTestRequest(command.address), command.options, process, readAccessVerdict,
                       printAccessVerdict);
}

}  // namespace crnpd::crnpctl
