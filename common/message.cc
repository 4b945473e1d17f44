// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/message.h"

#include <algorithm>
#include <array>
#include <utility>

namespace crnpd {
namespace {

template <typename Enum>
using NameTable = std::pair<Enum, std::string_view>;

constexpr std::array<NameTable<RegistrationType>, 4> typeNames{{
    {RegistrationType::addClient, "ADD_CLIENT"},
    {RegistrationType::addEvents, "ADD_EVENTS"},
    {RegistrationType::removeClient, "REMOVE_CLIENT"},
    {RegistrationType::removeEvents, "REMOVE_EVENTS"},
}};

// The first name of a code is the one that is sent; the later ones are only understood.
constexpr std::array<NameTable<StatusCode>, 11> codeNames{{
    {StatusCode::ok, "OK"},
    {StatusCode::retry, "RETRY"},
    {StatusCode::lowResource, "LOW_RESOURCE"},
    {StatusCode::systemError, "SYSTEM_ERROR"},
    {StatusCode::fail, "FAIL"},
    {StatusCode::malformed, "MALFORMED"},
    {StatusCode::invalid, "INVALID"},
    {StatusCode::versionTooHigh, "VERSION_TOO_HIGH"},
    {StatusCode::versionTooLow, "VERSION_TOO_LOW"},
    {StatusCode::lowResource, "LOW_RESOURCES"},
    {StatusCode::invalid, "INVALID_XML"},
}};

template <typename Table, typename Enum>
std::string_view nameIn(const Table& table, Enum value) noexcept {
    const auto* const found =
        std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.first == value; });
    return found == table.end() ? std::string_view{"?"} : found->second;
}

template <typename Enum, typename Table>
std::optional<Enum> valueIn(const Table& table, std::string_view name) noexcept {
    const auto* const found =
        std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.second == name; });
    if (found == table.end()) return std::nullopt;
    return found->first;
}

}  // namespace

void normalize(EventRegistration& registration) {
    auto& pairs = registration.pairs;
    std::sort(pairs.begin(), pairs.end());
    pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
}

bool asksFor(const EventRegistration& registration, const Event& event) noexcept {
    if (registration.eventClass != event.eventClass) return false;
    if (registration.subclass && *registration.subclass != event.subclass) return false;
    return std::all_of(registration.pairs.begin(), registration.pairs.end(), [&](const NvPair& pair) {
        return std::find(event.pairs.begin(), event.pairs.end(), pair) != event.pairs.end();
    });
}

std::string_view name(RegistrationType type) noexcept {
    return nameIn(typeNames, type);
}
std::string_view name(StatusCode code) noexcept {
    return nameIn(codeNames, code);
}

std::optional<RegistrationType> registrationTypeNamed(std::string_view name) noexcept {
    return valueIn<RegistrationType>(typeNames, name);
}
std::optional<StatusCode> statusCodeNamed(std::string_view name) noexcept {
    return valueIn<StatusCode>(codeNames, name);
}

}  // namespace crnpd
