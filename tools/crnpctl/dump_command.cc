// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/dump_command.h"

#include <functional>
#include <ostream>
#include <string>
#include <string_view>

#include "common/dump/seal.h"
#include "tools/crnpctl/control_answers.h"
#include "tools/crnpctl/control_talk.h"
#include "tools/crnpctl/new_file.h"

namespace crnpd::crnpctl {
namespace {

using Write = std::function<Result<void>(std::string_view)>;

Error notWhole(const Error& why) {
    return {why.code, "this is no whole dump: " + why.text};
}

// Hands on the lines of the dump; how many rows it has.
Result<std::size_t> copy(ControlClient& control, const std::string& socket, const Write& write) {
    dump::Seal seal;
    for (;;) {
        const auto text = lineOf(control, socket);
        if (!text) return notWhole(text.error());
        if (const auto written = write(*text + '\n'); !written) return written.error();
        if (dump::Seal::isOne(*text)) {
            const auto checked = seal.check(*text);
            if (!checked) return notWhole(checked.error());
            return seal.rows();
        }
        seal.add(*text);
    }
}

ExitStatus toFile(ControlClient& control, const DumpCommand& command, const Process& process) {
    auto file = NewFile::create(command.output);
    if (!file) return complain(process, file.error());
    const auto rows =
        copy(control, command.options.socket, [&](std::string_view bytes) { return file->write(bytes); });
    if (!rows) return complain(process, rows.error());
    if (const auto kept = file->commit(); !kept) return complain(process, kept.error());
    process.out << "dumped: " << *rows << (*rows == 1 ? " row" : " rows") << " to " << command.output << '\n';
    return ExitStatus::ok;
}

ExitStatus toOutput(ControlClient& control, const DumpCommand& command, const Process& process) {
    control.readAhead();
    const auto rows = copy(control, command.options.socket, [&](std::string_view bytes) -> Result<void> {
        if (process.out << bytes) return {};
        return Error{ErrorCode::io, "the output takes no more: what it got is no whole dump"};
    });
    if (rows) return ExitStatus::ok;
    process.out.flush();
    return complain(process, rows.error());
}

}  // namespace

ExitStatus carryOut(const DumpCommand& command, const Process& process) {
    auto control = ControlClient::ask(command.options, dumpRequest());
    if (!control) return complain(process, control.error());
    const auto first = lineOf(*control, command.options.socket);
    if (!first) return complain(process, first.error());
    if (const auto accepted = readAccepted(*first); !accepted) return complain(process, accepted.error());
    return command.output.empty() ? toOutput(*control, command, process) : toFile(*control, command, process);
}

}  // namespace crnpd::crnpctl
