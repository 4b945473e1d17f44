// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Who may talk to the server, decided by the source address of a connection alone (section 8 of
// docs/protocol.md): allowed is what an entry of allow_hosts matches and no entry of deny_hosts does.
//
// Threads    Values without a hidden state: an AccessList that nobody changes may be asked from all
//            threads at once. Share it as shared_ptr<const AccessList> and replace the pointer.
// Cost       decide() runs for every connection: linear in the entries, no allocation, no system call.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/address.h"
#include "common/result.h"

namespace crnpd::access {

// One line of allow_hosts or deny_hosts.
class AccessEntry {
public:
    // ADDRESS, ADDRESS/MASKLENGTH, "LOCAL" or "ALL".
    static Result<AccessEntry> parse(std::string_view text);

    // As it was written.
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

    friend bool operator==(const AccessEntry&, const AccessEntry&) = default;

private:
    friend class AccessList;

    struct All {
        friend bool operator==(const All&, const All&) = default;
    };
    struct Local {
        friend bool operator==(const Local&, const Local&) = default;
    };
    using What = std::variant<All, Local, Network>;

    AccessEntry(std::string_view text, What what) : text_(text), what_(std::move(what)) {}

    std::string text_;
    What what_;
};

// The answer and the reason for it. The pointers lead into the AccessList that was asked and are as
// good as long as it is.
struct Verdict {
    bool allowed = false;
    // The entry that decided: of allow_hosts if allowed, else of deny_hosts. Null: no entry of
    // allow_hosts matched, so the address is refused.
    const AccessEntry* entry = nullptr;
    // The connected network, if the entry is "LOCAL".
    const Network* network = nullptr;

    // For the log and for `crnpctl access test`: allowed by "LOCAL" of allow_hosts (10.0.0.0/8 is
    // directly connected)
    [[nodiscard]] std::string text() const;
};

class AccessList {
public:
    // `local` is what "LOCAL" means at the moment: the networks of this host's interfaces, as
    // Network::around() makes them. A link-local IPv6 network carries its interface.
    AccessList(std::vector<AccessEntry> allow, std::vector<AccessEntry> deny, std::vector<Network> local)
        : allow_(std::move(allow)), deny_(std::move(deny)), local_(std::move(local)) {}

    [[nodiscard]] Verdict decide(const IpAddress& address) const noexcept;

    // The same entries after the interfaces changed.
    [[nodiscard]] AccessList withLocal(std::vector<Network> local) const {
        return {allow_, deny_, std::move(local)};
    }

    [[nodiscard]] const std::vector<Network>& local() const noexcept { return local_; }

private:
    struct Match {
        const AccessEntry* entry = nullptr;
        const Network* network = nullptr;
    };
    [[nodiscard]] Match firstMatch(const std::vector<AccessEntry>& entries,
                                   const IpAddress& address) const noexcept;
    [[nodiscard]] const Network* localNetworkOf(const IpAddress& address) const noexcept;

    std::vector<AccessEntry> allow_;
    std::vector<AccessEntry> deny_;
    std::vector<Network> local_;
};

}  // namespace crnpd::access
