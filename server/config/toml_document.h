// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A TOML text as a flat list of what it sets. Knows nothing about which settings exist.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "server/config/value.h"

namespace crnpd::config {

struct TomlEntry {
    std::string section;  // "" at the top of the file, "log", "store.etcd"
    std::string name;
    Value value;
    unsigned line = 0;  // of the name
};

struct TomlSection {
    std::string name;
    unsigned line = 0;
};

struct TomlDocument {
    std::vector<TomlEntry> entries;
    std::vector<TomlSection> sections;  // without the top of the file
};

// The error is the first offence against TOML's grammar, with its line.
[[nodiscard]] Result<TomlDocument> parseToml(std::string_view text);

}  // namespace crnpd::config
