// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What has happened in simulations. A run in which nothing went wrong has shown nothing.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace crnpd::simulation {

// How often each kind of event was seen, by its name.
using Coverage = std::map<std::string, std::uint64_t>;

// All that a run has to have seen.
inline constexpr const char* required[] = {
    "answer dropped",
    "transaction lost",
    "transaction sent twice",
    "transaction late and carried out",
    "transaction late and refused",
    "read from the past",
    "no space",
    "lease ended",
    "commit refused because another server leads",
    "outcome unknown at first",
    "outcome found: committed",
    "outcome found: not committed",
    "outcome found after a takeover: committed",
    "outcome unknown for good",
    "takeover",
    "takeover by seizing",
    "takeover that failed",
    "hand-over",
    "leadership lost",
    "loss noticed in a call",
    "node died",
    "node died in a call",
    "long pause",
    "client answered OK",
    "client answered FAIL",
    "client answered RETRY",
    "client answered LOW_RESOURCE",
    "client left without a reply",
    "reply lost",
    "client gave up waiting",
    "two nodes active at once",
    "event acknowledged",
    "event refused",
    "event of which nobody knows",
};

}  // namespace crnpd::simulation
