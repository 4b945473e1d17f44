// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/load.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>

#include "common/unique_fd.h"
#include "server/config/relations.h"
#include "server/config/suggestion.h"
#include "server/config/table.h"
#include "server/config/toml_document.h"

namespace crnpd::config {
namespace {

// Far more than any settings file; keeps /dev/zero from being read for ever.
constexpr std::size_t longestFile = 1'048'576;

// The defaults stand in the table as they stand in a file, and are read like one.
const Settings& defaults() {
    static const auto settings = [] {
        Settings result;
        for (const auto& setting : settingsTable()) {
            const auto document =
                parseToml(std::string(setting.name) + " = " + std::string(setting.defaultValue));
            assert(document);
            [[maybe_unused]] const auto refusals = setting.kind.read(document->entries.front().value, result);
            assert(refusals.empty());
        }
        return result;
    }();
    return settings;
}

// One pass over one text.
class Reader {
public:
    explicit Reader(std::string_view sourceName) : settings_(defaults()), origin_(std::string(sourceName)) {}

    LoadResult read(std::string_view text) {
        const auto document = parseToml(text);
        if (!document) {
            complain(document.error().line, "not valid TOML: " + document.error().text);
            return result();
        }
        for (const auto& section : document->sections)
            readSection(section);
        for (const auto& entry : document->entries)
            readEntry(entry);
        adaptDefaults(settings_, origin_);
        auto related = checkRelations(settings_, origin_, refused_);
        std::ranges::move(related, std::back_inserter(relations_));
        return result();
    }

private:
    struct Found {
        unsigned line;
        std::string text;
    };

    void complain(unsigned line, std::string text) { found_.push_back({line, std::move(text)}); }

    static bool isSection(std::string_view name) {
        return std::ranges::any_of(sectionNames(), [&](std::string_view known) {
            return known == name || (known.starts_with(name) && known.substr(name.size()).starts_with('.'));
        });
    }

    void readSection(const TomlSection& section) {
        if (isSection(section.name)) return;
        const auto dot = section.name.rfind('.');
        const auto parent = dot == std::string::npos ? std::string{} : section.name.substr(0, dot);
        if (!parent.empty() && !isSection(parent)) return;  // said of the parent
        const auto last = dot == std::string::npos ? section.name : section.name.substr(dot + 1);
        if (const auto* setting = findSetting(parent, last)) {
            refused_.insert(setting->fullName());
            complain(section.line,
                     setting->fullName() + " is a setting, not a section; allowed: " + setting->kind.allowed);
        } else {
            complain(section.line, unknownSection(section.name));
        }
    }

    void readEntry(const TomlEntry& entry) {
        if (!entry.section.empty() && !isSection(entry.section)) return;  // said of the section
        const auto* setting = findSetting(entry.section, entry.name);
        if (setting != nullptr) return readSetting(*setting, entry);
        const auto path = entry.section.empty() ? entry.name : entry.section + '.' + entry.name;
        if (isSection(path))
            return complain(entry.line, path + " is a section: write [" + path + "] once, alone on its line");
        complain(entry.line, unknownSetting(entry.section, entry.name));
    }

    void readSetting(const Setting& setting, const TomlEntry& entry) {
        const auto name = setting.fullName();
        origin_.note(name, entry.line);
        if (const auto* elements = entry.value.as<std::vector<Value>>()) {
            for (std::size_t i = 0; i < elements->size(); ++i) {
                origin_.note(name + '[' + std::to_string(i) + ']', (*elements)[i].line);
            }
        }
        for (const auto& refusal : setting.kind.read(entry.value, settings_)) {
            refused_.insert(name);
            complain(refusal.line, name + ": " + refusal.text + "; allowed: " + setting.kind.allowed);
        }
    }

    // Relations come last: they speak of settings that are each right.
    LoadResult result() {
        std::ranges::stable_sort(found_, {}, &Found::line);
        std::vector<Problem> problems;
        for (auto& found : found_)
            problems.push_back({origin_.where(found.line), std::move(found.text)});
        std::ranges::move(relations_, std::back_inserter(problems));
        return {std::move(settings_), std::move(origin_), std::move(problems)};
    }

    Settings settings_;
    Origin origin_;
    std::set<std::string> refused_;
    std::vector<Found> found_;
    std::vector<Problem> relations_;
};

Error fileError(int code) {
    return {ErrorCode::io, std::generic_category().message(code)};
}

Result<std::string> readFile(const std::filesystem::path& file) {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return fileError(errno);
    // A pipe cannot be read again at a reload. A device may be: /dev/null means the defaults.
    struct stat status {};
    if (::fstat(fd.fd(), &status) != 0) return fileError(errno);
    if (S_ISFIFO(status.st_mode)) return Error{ErrorCode::io, "it is a pipe"};
    std::string text;
    std::array<char, 16'384> piece{};
    while (text.size() <= longestFile) {
        const auto length = ::read(fd.fd(), piece.data(), piece.size());
        if (length == 0) return text;
        if (length > 0) {
            text.append(piece.data(), static_cast<std::size_t>(length));
        } else if (errno != EINTR) {
            return fileError(errno);
        }
    }
    return Error{ErrorCode::noSpace, "it is longer than " + std::to_string(longestFile) + " bytes"};
}

}  // namespace

std::string Origin::where(const std::string& name) const {
    const auto found = lines_.find(name);
    return found == lines_.end() ? file_ : where(found->second);
}

LoadResult loadSettings(const std::filesystem::path& file) {
    const auto text = readFile(file);
    if (text) return loadSettingsFromText(*text, file.native());
    return {Settings{},
            Origin(file.native()),
            {{file.native(), "cannot read the settings: " + text.error().text}}};
}

LoadResult loadSettingsFromText(std::string_view text, std::string_view sourceName) {
    return Reader(sourceName).read(text);
}

}  // namespace crnpd::config
