// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// How a store writes the mark of the delivery: "up to 17, client 3 at 12, client 9 at 15".
#pragma once

#include <string>
#include <string_view>

#include "common/record.h"
#include "common/result.h"

namespace crnpd {

[[nodiscard]] std::string encodeMark(const MarkRecord& mark);
// `damaged` for anything that encodeMark() cannot have written of a mark whose laggards are sorted and
// behind.
[[nodiscard]] Result<MarkRecord> decodeMark(std::string_view text);

}  // namespace crnpd
