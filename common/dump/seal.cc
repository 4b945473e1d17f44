// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "common/dump/seal.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace crnpd::dump {

void Seal::add(std::string_view line) {
    sum_.add(line);
    sum_.add("\n");
    ++lines_;
}

std::string Seal::line() {
    return nlohmann::ordered_json{{"end", true}, {"rows", rows()}, {"sha256", sum_.finish()}}.dump();
}

Result<void> Seal::check(std::string_view line) {
    const auto end = nlohmann::json::parse(line, nullptr, false);
    const auto has = [&](const char* key, const nlohmann::json& value) {
        const auto found = end.find(key);
        return found != end.end() && *found == value;
    };
    if (!end.is_object() || !has("end", true))
        return Error{ErrorCode::damaged, "this is not the last line of a dump"};
    if (!has("rows", rows())) {
        return Error{ErrorCode::damaged,
                     fmt::format("the dump has {} rows, and its last line speaks of another number: rows are "
                                 "missing or were added",
                                 rows())};
    }
    if (!has("sha256", sum_.finish()))
        return Error{ErrorCode::damaged, "the checksum is not that of the rows: the dump was changed"};
    return {};
}

}  // namespace crnpd::dump
