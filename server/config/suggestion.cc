// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/suggestion.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "server/config/table.h"

namespace crnpd::config {
namespace {

// One slip in three characters is a typing mistake; more is another word.
bool isSlip(std::string_view written, std::string_view meant) {
    if (written.size() > 2 * meant.size()) return false;
    return editDistance(written, meant) <= std::max<std::size_t>(1, meant.size() / 3);
}

std::string placeOf(std::string_view section) {
    return section.empty() ? "the top of the file, before the first [section]"
                           : '[' + std::string(section) + ']';
}

const Setting* elsewhere(std::string_view name) {
    const auto& table = settingsTable();
    const auto found = std::ranges::find(table, name, &Setting::name);
    return found == table.end() ? nullptr : &*found;
}

// The nearest name; among equally near ones the one of the same section.
const Setting* nearest(std::string_view section, std::string_view name) {
    const Setting* best = nullptr;
    std::size_t bestCost = 0;
    for (const auto& setting : settingsTable()) {
        if (!isSlip(name, setting.name)) continue;
        const auto cost = 2 * editDistance(name, setting.name) + (setting.section == section ? 0 : 1);
        if (best == nullptr || cost < bestCost) {
            best = &setting;
            bestCost = cost;
        }
    }
    return best;
}

std::string namesIn(std::string_view section) {
    std::string names;
    for (const auto& setting : settingsTable()) {
        if (setting.section == section) names += (names.empty() ? "" : ", ") + std::string(setting.name);
    }
    return names;
}

}  // namespace

// The usual table, of which only the last three rows are kept.
std::size_t editDistance(std::string_view left, std::string_view right) {
    std::vector<std::size_t> beforeLast;
    std::vector<std::size_t> last(right.size() + 1);
    std::vector<std::size_t> row(right.size() + 1);
    std::iota(last.begin(), last.end(), 0U);
    for (std::size_t i = 1; i <= left.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= right.size(); ++j) {
            const std::size_t replaced = last[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
            const bool swapped = i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            if (swapped) row[j] = std::min(row[j], beforeLast[j - 2] + 1);
        }
        beforeLast = last;
        last = row;
    }
    return last[right.size()];
}

std::string unknownSetting(std::string_view section, std::string_view name) {
    auto text = shortInQuotes(name) + " is not a setting";
    if (!section.empty()) text += " of " + placeOf(section);

    if (const auto* other = elsewhere(name)) return text + "; it belongs to " + placeOf(other->section);
    if (const auto* meant = nearest(section, name)) {
        text += "; did you mean " + inQuotes(meant->name);
        return text + (meant->section == section ? "?" : " of " + placeOf(meant->section) + '?');
    }
    return text + "; allowed here: " + namesIn(section);
}

std::string unknownSection(std::string_view section) {
    const auto text = '[' + escaped(section.substr(0, 60)) + "] is not a section";
    std::string names;
    for (const auto known : sectionNames()) {
        if (isSlip(section, known) || known.ends_with('.' + std::string(section)))
            return text + "; did you mean " + placeOf(known) + '?';
        names += (names.empty() ? "" : ", ") + placeOf(known);
    }
    return text + "; allowed: " + names;
}

}  // namespace crnpd::config
