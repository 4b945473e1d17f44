// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/control/json_line.h"

#include <string_view>

namespace crnpd::control {
namespace {

std::string_view codeOf(ErrorCode code) {
    switch (code) {
        case ErrorCode::notFound:
            return "NOT_FOUND";
        case ErrorCode::busy:
            return "STANDBY";
        case ErrorCode::invalidArgument:
        case ErrorCode::damaged:
        case ErrorCode::foreign:
            return "INVALID";
        default:
            return "FAIL";
    }
}

}  // namespace

std::string line(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json refusal(const Error& error) {
    return {{"ok", false}, {"error", error.text}, {"code", codeOf(error.code)}};
}

}  // namespace crnpd::control
