// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The stored form of an event, in the manner of registration_codec.h: a short text that a person can read,
// which takes the same bytes for equal events. Class, subclass, vendor, publisher, the number of pairs, the
// pairs in the order in which they were published.
//
//     10:EC_Cluster20:ESC_cluster_rg_state4:SUNW3:rgm   who and what
//     1:7:rg_name1:6:web-rg                             one pair, its name, one value, the value
//
// Nothing stands between the parts (the lines above are for the eye).
#pragma once

#include <string>
#include <string_view>

#include "common/message.h"
#include "common/result.h"

namespace crnpd {

[[nodiscard]] std::string encodeEvent(const Event& event);

// `damaged` for anything that encodeEvent() cannot have written. Linear in the length.
[[nodiscard]] Result<Event> decodeEvent(std::string_view record);

}  // namespace crnpd
