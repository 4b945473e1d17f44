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
        if (usesEtcd()) checkEtcd();
        return std::move(problems_);
    }

private:
    // Settings of a store that is not used do no harm.
    [[nodiscard]] bool usesEtcd() const {
        return judgeable({"store.kind"}) && settings_.store.kind == StoreKind::etcd;
    }

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
                if (usesEtcd() && files[j].file == &settings_.store.path) continue;
                if (files[i].file->empty() || !judgeable({files[i].name, files[j].name})) continue;
                if (files[i].file->lexically_normal() != files[j].file->lexically_normal()) continue;
                complain(files[i].name, fmt::format("{} is the file of {} too; allowed: a file of its own",
                                                    shortInQuotes(files[i].file->native()), files[j].name));
            }
        }
    }

    void checkEtcd() {
        if (judgeable({"store.etcd.endpoints"})) checkEndpoints();
        if (judgeable({"store.etcd.attempt_time", "store.etcd.commit_limit", "store.etcd.lease"}))
            checkEtcdTimes();
        const auto& etcd = settings_.store.etcd;
        checkTogether("store.etcd.cert_file", !etcd.certFile.empty(), "store.etcd.key_file",
                      !etcd.keyFile.empty());
        checkTogether("store.etcd.username", !etcd.username.empty(), "store.etcd.password_file",
                      !etcd.passwordFile.empty());
    }

    void checkEndpoints() {
        const auto& endpoints = settings_.store.etcd.endpoints;
        for (std::size_t i = 0; i < endpoints.size(); ++i) {
            const auto name = fmt::format("store.etcd.endpoints[{}]", i);
            const auto text = '"' + endpoints[i].text() + '"';
            const auto isSame = [&](const Endpoint& other) {
                return other.hostAndPort() == endpoints[i].hostAndPort();
            };
            if (std::ranges::any_of(endpoints.begin(), endpoints.begin() + static_cast<std::ptrdiff_t>(i),
                                    isSame)) {
                complain(name, text + " stands in the list twice");
            }
            if (endpoints[i].scheme() == Endpoint::Scheme::http && settings_.store.etcd.isSecure()) {
                complain(name, text +
                                   " is without TLS, but ca_file, cert_file or another endpoint is for "
                                   "TLS; allowed: TLS with all members or with none");
            }
        }
    }

    void checkEtcdTimes() {
        const auto& etcd = settings_.store.etcd;
        const std::string attempt = "store.etcd.attempt_time";
        const auto told = [&](const char* other) { return origin_.given(attempt) ? attempt : other; };
        if (etcd.attemptTime > etcd.commitLimit) {
            complain(told("store.etcd.commit_limit"),
                     fmt::format("one attempt may take {}, but a write as a whole {}; allowed: "
                                 "store.etcd.commit_limit at least as long as store.etcd.attempt_time",
                                 durationText(etcd.attemptTime), durationText(etcd.commitLimit)));
        }
        if (etcd.attemptTime >= etcd.lease) {
            complain(told("store.etcd.lease"),
                     fmt::format("one member that does not answer within {} would cost the lease of {}; "
                                 "allowed: store.etcd.attempt_time shorter than store.etcd.lease",
                                 durationText(etcd.attemptTime), durationText(etcd.lease)));
        }
    }

    void checkTogether(const char* one, bool hasOne, const char* other, bool hasOther) {
        if (hasOne == hasOther || !judgeable({one, other})) return;
        complain(hasOne ? one : other, fmt::format("{} is missing; allowed: both or none of {} and {}",
                                                   hasOne ? other : one, one, other));
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
    auto& etcd = settings.store.etcd;
    if (!origin.given("store.etcd.attempt_time")) {
        // So that the lease is kept when one member does not answer.
        etcd.attemptTime = std::min(etcd.attemptTime, std::chrono::milliseconds(etcd.lease) / 2);
    }
}

std::vector<Problem> checkRelations(const Settings& settings, const Origin& origin,
                                    const std::set<std::string>& refused) {
    return RelationCheck(settings, origin, refused).run();
}

}  // namespace crnpd::config
