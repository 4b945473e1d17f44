// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/control_talk.h"

#include <ostream>

#include "tools/crnpctl/printable.h"

namespace crnpd::crnpctl {
namespace {

Error cutOff(const std::string& socket) {
    return {ErrorCode::io, socket + ": the answer was cut off: crnpd closed the connection before its end"};
}

}  // namespace

ExitStatus complain(const Process& process, const Error& error) {
    process.err << "crnpctl: " << printable(error.text) << std::endl;
    return error.code == ErrorCode::notFound ? ExitStatus::notFound : ExitStatus::failed;
}

Result<std::string> lineOf(ControlClient& control, const std::string& socket) {
    auto line = control.nextLine();
    if (!line) return line.error();
    if (!*line) return cutOff(socket);
    return **std::move(line);
}

Result<std::string> answerTo(const std::string& request, const ControlOptions& options) {
    auto control = ControlClient::ask(options, request);
    if (!control) return control.error();
    return lineOf(*control, options.socket);
}

}  // namespace crnpd::crnpctl
