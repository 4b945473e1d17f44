// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Addresses by small numbers: a million clients came to a handful of addresses of ours, and a number takes a
// sixth of what an address takes. Only grows; 0 is 0.0.0.0.
//
// Threads    One at a time.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "common/address.h"

namespace crnpd::registry {

class AddressTable {
public:
    using Index = std::uint32_t;

    AddressTable() { indexOf({}); }

    Index indexOf(const IpAddress& address) {
        const auto found = indices_.find(address);
        if (found != indices_.end()) return found->second;
        const auto next = static_cast<Index>(addresses_.size());
        addresses_.push_back(address);
        indices_.emplace(address, next);
        return next;
    }
    [[nodiscard]] const IpAddress& at(Index index) const { return addresses_.at(index); }

private:
    std::vector<IpAddress> addresses_;
    std::unordered_map<IpAddress, Index> indices_;
};

}  // namespace crnpd::registry
