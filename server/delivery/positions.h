// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Clients in the order of a number each of them has. Inside this folder only.
//
// Cost       add() and remove() that of finding the number among the different ones, whoever is there; a
//            walk from the lowest only what it visits.
// Threads    One thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "common/record.h"
#include "server/delivery/matching.h"

namespace crnpd::delivery {

class Positions {
public:
    // Where it stands among those with the same number; whoever calls keeps that.
    using Place = std::uint32_t;

    struct Moved {
        ClientIndex client;
        Place to;
    };

    Place add(Sequence number, ClientIndex client) {
        auto& same = clients_[number];
        same.push_back(client);
        return static_cast<Place>(same.size() - 1);
    }

    // Who stands elsewhere because of that, if anybody.
    std::optional<Moved> remove(Sequence number, Place place) {
        const auto found = clients_.find(number);
        auto& same = found->second;
        const ClientIndex last = same.back();
        same.pop_back();
        if (same.empty()) {
            clients_.erase(found);
            return std::nullopt;
        }
        if (place == same.size()) return std::nullopt;
        same[place] = last;
        return Moved{last, place};
    }

    [[nodiscard]] std::optional<Sequence> lowest() const {
        return clients_.empty() ? std::nullopt : std::optional(clients_.begin()->first);
    }

    // From the lowest on, as long as `visit(number, client)` says true.
    template <typename Visit>
    void walk(const Visit& visit) const {
        for (const auto& [number, same] : clients_) {
            for (const ClientIndex client : same) {
                if (!visit(number, client)) return;
            }
        }
    }

private:
    std::map<Sequence, std::vector<ClientIndex>> clients_;
};

}  // namespace crnpd::delivery
