// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The stored form of one client's registrations: a short text that a person can read in the database
// and that takes the same bytes for equal registrations (docs/store-format.md).
//
//     2:                                     two registrations
//     10:EC_Cluster+22:ESC_cluster_membership0:
//     10:EC_Cluster-1:7:rg_name1:6:web-rg    class, no subclass, one pair, its name, one value, the value
//
// Numbers are decimal and end with ':'; a string is its length in bytes, ':' and its bytes; '+' announces
// a subclass and '-' its absence. Nothing stands between the parts (the lines above are for the eye).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/message.h"
#include "common/result.h"

namespace crnpd {

[[nodiscard]] std::string encodeRegistrations(std::span<const EventRegistration> registrations);

// The same in two parts: the beginning of a record of so many registrations, and each of them.
[[nodiscard]] std::string encodeCount(std::size_t registrations);
void appendEncoded(std::string& out, const EventRegistration& registration);

// No less than encodeRegistrations() takes, without building it.
[[nodiscard]] std::size_t encodedBytesAtMost(std::span<const EventRegistration> registrations) noexcept;

// `damaged` for anything that encodeRegistrations() cannot have written. Linear in the length.
[[nodiscard]] Result<std::vector<EventRegistration>> decodeRegistrations(std::string_view record);

// Whether decodeRegistrations() would accept the record, without building anything: for a store that checks
// a million of them while it loads.
[[nodiscard]] bool isRegistrationRecord(std::string_view record) noexcept;

// How many registrations a record holds, without reading the rest of it; 0 for a damaged record.
[[nodiscard]] std::size_t countRegistrations(std::string_view record) noexcept;

}  // namespace crnpd
