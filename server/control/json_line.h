// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The lines of an answer.
//
// Threads    Free functions without state.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "common/result.h"

namespace crnpd::control {

using Json = nlohmann::ordered_json;

[[nodiscard]] std::string line(const Json& json);

// What is answered instead of what was asked for.
[[nodiscard]] Json refusal(const Error& error);

}  // namespace crnpd::control
