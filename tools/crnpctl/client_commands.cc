// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/client_commands.h"

#include <algorithm>
#include <ostream>
#include <string_view>
#include <utility>

#include "common/xml/registration_writer.h"
#include "tools/crnpctl/input_file.h"
#include "tools/crnpctl/printable.h"

namespace crnpd::crnpctl {
namespace {

ExitStatus complain(const Process& process, std::string_view text, ExitStatus status) {
    process.err << "crnpctl: " << printable(text) << std::endl;
    return status;
}

ExitStatus sendDocument(const ClientOptions& options, std::string_view document, const Process& process) {
    const Outside outside{
        .resolve = [&] { return reachable(options); },
        .exchange = [&](const SocketAddress& server,
                        std::string_view bytes) { return exchange(server, bytes, options.exchange); },
        .pause = process.pause,
    };
    const auto answer = PatientClient(options.patience, outside, process.err).send(document);
    if (!answer) {
        const bool strange = answer.error().code == ErrorCode::invalid;
        return complain(process, answer.error().text,
                        strange ? ExitStatus::unknownReply : ExitStatus::failed);
    }
    printReply(process.out, *answer, options.form);
    return exitStatusOf(answer->reply.code);
}

}  // namespace

// Only addresses of the family of --source can be reached from it.
Result<std::vector<SocketAddress>> reachable(const ClientOptions& options) {
    auto addresses = resolve(options.server);
    const auto& source = options.exchange.source;
    if (!addresses || !source) return addresses;
    std::erase_if(*addresses, [&](const auto& address) { return address.ip.isV6() != source->isV6(); });
    if (addresses->empty()) {
        return Error{ErrorCode::invalidArgument, options.server.text() +
                                                     " cannot be reached from the source address " +
                                                     source->text() + ": it has no address of that family"};
    }
    return addresses;
}

ExitStatus carryOut(const RegistrationCommand& command, const Process& process) {
    return sendDocument(command.options, xml::writeRegistration(command.message), process);
}

ExitStatus carryOut(const SendCommand& command, const Process& process) {
    const auto document = readInput(command.file, process.in, SendCommand::longest);
    if (!document) return complain(process, document.error().text, ExitStatus::usage);
    return sendDocument(command.options, *document, process);
}

}  // namespace crnpd::crnpctl
