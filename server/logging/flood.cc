// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/logging/flood.h"

namespace crnpd::logging {

// FNV-1a
std::size_t Flood::placeOf(std::string_view id) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : id)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return (hash ^ (hash >> 32U)) % places;
}

bool Flood::admits(std::string_view id) noexcept {
    auto& place = places_[placeOf(id)];
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(clock_.steady().time_since_epoch()).count();
    auto second = place.second.load(std::memory_order_relaxed);
    if (second != now && place.second.compare_exchange_strong(second, now, std::memory_order_relaxed)) {
        place.lines.store(0, std::memory_order_relaxed);
    }
    if (place.lines.fetch_add(1, std::memory_order_relaxed) < linesPerSecond) return true;
    place.id.store(id.data(), std::memory_order_relaxed);
    place.withheld.fetch_add(1, std::memory_order_relaxed);
    return false;
}

std::vector<Flood::Withheld> Flood::takeWithheld() {
    std::vector<Withheld> all;
    for (auto& place : places_) {
        if (place.withheld.load(std::memory_order_relaxed) == 0) continue;
        all.push_back({place.id.load(std::memory_order_relaxed),
                       place.withheld.exchange(0, std::memory_order_relaxed)});
    }
    return all;
}

}  // namespace crnpd::logging
