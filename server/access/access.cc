// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/access/access.h"

#include <algorithm>

namespace crnpd::access {
namespace {

constexpr std::string_view allWord = "ALL";
constexpr std::string_view localWord = "LOCAL";

bool sameButForCase(std::string_view left, std::string_view right) {
    const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
    return std::ranges::equal(left, right, {}, upper, upper);
}

Error notAnEntry(std::string_view text, std::string_view reason) {
    return {ErrorCode::invalidArgument, '"' + std::string(text) + "\" " + std::string(reason)};
}

}  // namespace

Result<AccessEntry> AccessEntry::parse(std::string_view text) {
    if (text == allWord) return AccessEntry(text, All{});
    if (text == localWord) return AccessEntry(text, Local{});
    for (const auto word : {allWord, localWord}) {
        if (sameButForCase(text, word)) {
            return notAnEntry(text, "is written in capital letters: \"" + std::string(word) + '"');
        }
    }
    const auto network = Network::parse(text);
    if (network) return AccessEntry(text, *network);
    // A host's name would make access depend on who answers for DNS; say that no name is meant to work.
    if (text.find_first_of(":/%") == std::string_view::npos && !IpAddress::parse(text)) {
        return notAnEntry(text, "is neither an IP address, ADDRESS/MASKLENGTH, \"LOCAL\" nor \"ALL\"");
    }
    return network.error();
}

std::string Verdict::text() const {
    if (entry == nullptr) return "refused: no entry of allow_hosts matches";
    auto words = std::string(allowed ? "allowed by \"" : "refused by \"") + entry->text() + "\" of " +
                 (allowed ? "allow_hosts" : "deny_hosts");
    if (network != nullptr) words += " (" + network->text() + " is directly connected)";
    return words;
}

Verdict AccessList::decide(const IpAddress& address) const noexcept {
    if (const auto denied = firstMatch(deny_, address); denied.entry != nullptr) {
        return {.allowed = false, .entry = denied.entry, .network = denied.network};
    }
    const auto allowed = firstMatch(allow_, address);
    return {.allowed = allowed.entry != nullptr, .entry = allowed.entry, .network = allowed.network};
}

AccessList::Match AccessList::firstMatch(const std::vector<AccessEntry>& entries,
                                         const IpAddress& address) const noexcept {
    for (const auto& entry : entries) {
        if (std::holds_alternative<AccessEntry::All>(entry.what_)) return {&entry, nullptr};
        if (const auto* network = std::get_if<Network>(&entry.what_)) {
            if (network->contains(address)) return {&entry, nullptr};
        } else if (const auto* connected = localNetworkOf(address)) {
            return {&entry, connected};
        }
    }
    return {};
}

const Network* AccessList::localNetworkOf(const IpAddress& address) const noexcept {
    const auto found =
        std::ranges::find_if(local_, [&](const Network& network) { return network.contains(address); });
    return found == local_.end() ? nullptr : &*found;
}

}  // namespace crnpd::access
