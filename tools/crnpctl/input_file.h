// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A file that a command was given, as a whole in memory.
//
// Threads    Free functions without state.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>

#include "common/result.h"

namespace crnpd::crnpctl {

// How messages call the file: "-" is the standard input.
[[nodiscard]] std::string nameOfInput(const std::string& file);

// Errors name the file: io; noSpace where it is longer than `longest`, a whole number of MiB.
[[nodiscard]] Result<std::string> readInput(const std::string& file, std::istream& in, std::size_t longest);

}  // namespace crnpd::crnpctl
