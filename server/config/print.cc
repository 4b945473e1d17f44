// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/settings.h"
#include "server/config/table.h"

namespace crnpd::config {

std::string printSettings(const Settings& settings) {
    std::string text;
    std::string_view section;
    for (const auto& setting : settingsTable()) {
        if (!text.empty()) text += '\n';
        if (setting.section != section) {
            section = setting.section;
            text += '[' + std::string(section) + "]\n";
        }
        text += "# " + std::string(setting.meaning) + '\n';
        text += "# " + setting.rule() + '\n';
        text += std::string(setting.name) + " = " + setting.kind.write(settings) + '\n';
    }
    return text;
}

}  // namespace crnpd::config
