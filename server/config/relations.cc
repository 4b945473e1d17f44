// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/relations.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "server/config/duration.h"
#include "server/config/value.h"

namespace crnpd::config {
namespace {

class RelationCheck {
public:
    RelationCheck(const Settings& settings, const Origin& origin, const std::set<std::string>& refused)
        : settings_(settings), origin_(origin), refused_(refused) {}

    std::vector<Problem> run() {
        if (judgeable({"listen"})) checkListen();
        if (judgeable({"limits.connections", "limits.connections_per_address"})) checkConnections();
        if (judgeable({"limits.message_time", "limits.removal_memory"})) checkRemovalMemory();
        checkFilesDiffer();
        return std::move(problems_);
    }

private:
    [[nodiscard]] bool judgeable(std::initializer_list<const char*> names) const {
        return std::ranges::none_of(names, [this](const char* name) { return refused_.contains(name); });
    }

    void complain(const std::string& name, const std::string& text) {
        problems_.push_back({origin_.where(name), name.substr(0, name.find('[')) + ": " + text});
    }

    void checkListen() {
        const auto& listen = settings_.listen;
        for (std::size_t i = 0; i < listen.size(); ++i) {
            const auto name = fmt::format("listen[{}]", i);
            const auto text = '"' + listen[i].text() + '"';
            if (listen[i].ip.isLinkLocal() && listen[i].ip.scope() == 0) {
                complain(name, text + " is link-local and needs its interface: \"[fe80::1%eth0]:9444\"");
            }
            for (std::size_t j = 0; j < listen.size(); ++j) {
                if (i == j || !covers(listen[j], listen[i])) continue;
                if (listen[i] == listen[j] && i < j) continue;  // the later one is told
                complain(name, listen[i] == listen[j]
                                   ? text + " stands in the list twice"
                                   : text + " is covered by \"" + listen[j].text() + "\" already");
                break;
            }
        }
    }

    // Whether both cannot be listened on.
    static bool covers(const SocketAddress& wide, const SocketAddress& address) {
        if (wide.port != address.port || wide.port == 0) return false;
        if (wide.ip.isV6() != address.ip.isV6()) return false;
        const bool any = std::ranges::all_of(wide.ip.bytes(), [](std::uint8_t byte) { return byte == 0; });
        return any || wide == address;
    }

    void checkConnections() {
        const auto& limits = settings_.limits;
        if (limits.connectionsPerAddress <= limits.connections) return;
        complain("limits.connections_per_address",
                 fmt::format("{} is more than limits.connections; allowed: at most {}",
                             limits.connectionsPerAddress, limits.connections));
    }

    // A repetition may be on its way for as long as a message may take.
    void checkRemovalMemory() {
        const auto& limits = settings_.limits;
        if (limits.removalMemory >= limits.messageTime) return;
        const std::string name =
            origin_.given("limits.removal_memory") ? "limits.removal_memory" : "limits.message_time";
        complain(name, fmt::format("a removal is remembered for {}, but a message may take {}; allowed: "
                                   "limits.removal_memory at least as long as limits.message_time",
                                   durationText(limits.removalMemory), durationText(limits.messageTime)));
    }

    void checkFilesDiffer() {
        struct Named {
            const char* name;
            const std::filesystem::path* file;
        };
        const std::array<Named, 3> files{{{"store.path", &settings_.store.path},
                                          {"control.socket", &settings_.control.socket},
                                          {"log.target", &settings_.log.target.file}}};
        for (std::size_t i = 0; i < files.size(); ++i) {
            for (std::size_t j = 0; j < i; ++j) {
                if (files[i].file->empty() || !judgeable({files[i].name, files[j].name})) continue;
                if (files[i].file->lexically_normal() != files[j].file->lexically_normal()) continue;
                complain(files[i].name, fmt::format("{} is the file of {} too; allowed: a file of its own",
                                                    shortInQuotes(files[i].file->native()), files[j].name));
            }
        }
    }

    const Settings& settings_;
    const Origin& origin_;
    const std::set<std::string>& refused_;
    std::vector<Problem> problems_;
};

}  // namespace

void adaptDefaults(Settings& settings, const Origin& origin) {
    auto& limits = settings.limits;
    if (!origin.given("limits.connections_per_address")) {
        limits.connectionsPerAddress = std::min(limits.connectionsPerAddress, limits.connections);
    }
}

std::vector<Problem> checkRelations(const Settings& settings, const Origin& origin,
                                    const std::set<std::string>& refused) {
    return RelationCheck(settings, origin, refused).run();
}

}  // namespace crnpd::config
