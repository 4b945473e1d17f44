// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The one table of settings. Reading a file, defaults, range checks, "did you mean", --print-config and the
// test of config/crnpd.toml all come from it: a new setting is a field in settings.h, a row here and a
// paragraph there.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/config/settings.h"
#include "server/config/value.h"

namespace crnpd::config {

// One thing that is wrong with a value.
struct Refusal {
    unsigned line = 0;
    std::string text;  // starts with the value: 0 is out of range
};

// How a type of setting is read, written and explained. kinds.h makes them.
struct Kind {
    std::string allowed;  // a number from 1 to 64
    // Changes the settings only if it refuses nothing.
    std::function<std::vector<Refusal>(const Value&, Settings&)> read;
    // The right side of "=".
    std::function<std::string(const Settings&)> write;
};

// When a changed value counts.
enum class Effect { reload, restart };

struct Setting {
    std::string_view section;  // "" at the top of the file
    std::string_view name;
    std::string_view defaultValue;  // as it stands in a file
    Effect effect;
    Kind kind;
    std::string_view meaning;

    // "store.path"
    [[nodiscard]] std::string fullName() const;
    // Allowed: a number from 1 to 64. Default: 0. A change counts after a restart.
    [[nodiscard]] std::string rule() const;
};

// In the order of the file; rows of one section stand together.
[[nodiscard]] const std::vector<Setting>& settingsTable();

// Null if there is none.
[[nodiscard]] const Setting* findSetting(std::string_view section, std::string_view name);

// Names of the sections, in order, without the top of the file.
[[nodiscard]] std::vector<std::string_view> sectionNames();

}  // namespace crnpd::config
