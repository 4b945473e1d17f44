// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/publish_command.h"

#include <ostream>
#include <string>

#include <fmt/format.h>
#include <fmt/ostream.h>

#include "common/xml/event_reader.h"
#include "common/xml/runtime.h"
#include "tools/crnpctl/control_answers.h"
#include "tools/crnpctl/control_talk.h"
#include "tools/crnpctl/input_file.h"
#include "tools/crnpctl/printable.h"

namespace crnpd::crnpctl {
namespace {

Result<Event> readEvent(const std::string& file, std::istream& in) {
    const auto document = readInput(file, in, PublishCommand::longest);
    if (!document) return document.error();
    const xml::Runtime runtime;
    auto event = xml::EventReader(runtime).parse(*document);
    if (event) return event;
    const auto& fault = event.error();
    const auto line = fault.line == 0 ? std::string() : fmt::format(":{}", fault.line);
    return Error{fault.code, nameOfInput(file) + line + ": " + fault.text};
}

ExitStatus sayUnknown(const Process& process, const std::string& why) {
    process.err << "crnpctl: " << printable(why)
                << "; it is not known whether the event was published: look with crnpctl events before it is "
                   "published again"
                << std::endl;
    return ExitStatus::unknown;
}

ExitStatus publish(const Event& event, const ControlOptions& options, const Process& process) {
    auto control = ControlClient::ask(options, publishRequest(event));
    if (!control) return complain(process, control.error());
    const auto line = lineOf(*control, options.socket);
    if (!line) return sayUnknown(process, line.error().text);
    const auto sequence = readPublished(*line);
    if (!sequence) {
        const auto& error = sequence.error();
        // An answer that makes no sense may have been meant to say that it was.
        if (error.code == ErrorCode::superseded || error.code == ErrorCode::damaged)
            return sayUnknown(process, error.text);
        return complain(process, error);
    }
    if (options.json) {
        fmt::print(process.out, "{{\"sequence\":{}}}\n", *sequence);
    } else {
        fmt::print(process.out, "event {} published\n", *sequence);
    }
    return ExitStatus::ok;
}

}  // namespace

ExitStatus carryOut(const PublishCommand& command, const Process& process) {
    const auto event =
        command.file.empty() ? Result<Event>(command.event) : readEvent(command.file, process.in);
    if (!event) {
        complain(process, event.error());
        return ExitStatus::usage;
    }
    return publish(*event, command.options, process);
}

}  // namespace crnpd::crnpctl
