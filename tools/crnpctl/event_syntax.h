// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// An event registration as a person types it:
//
//     CLASS[/SUBCLASS][:NAME=VALUE[,NAME=VALUE]...]
//
//     EC_Cluster                                          every event of the class
//     EC_Cluster/ESC_cluster_rg_state                     of one subclass
//     EC_Cluster/ESC_cluster_rg_state:rg_name=web-rg      with one pair
//     EC_Cluster/ESC_cluster_membership:node_list=a,node_list=b
//                                                         one pair with two values, an array
//
// The first '/' before the first ':' begins the subclass, the first ':' the pairs; ',' separates pairs; the
// first '=' of a pair begins its value, which may be empty and is never trimmed. A backslash takes the
// meaning from one of \ , = : / behind it. Two pairs of one name in one registration, and the empty
// subclass, which is not the same as none, cannot be typed: `crnpctl send` sends any document.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/message.h"
#include "common/result.h"

namespace crnpd::crnpctl {

// Normalized. Errors: invalidArgument, also for text that XML cannot carry.
[[nodiscard]] Result<EventRegistration> parseEvent(std::string_view text);

// A pair of an event that is published: NAME=VALUE[,VALUE]..., with the same backslashes. Several values are
// an array. Errors: invalidArgument.
[[nodiscard]] Result<NvPair> parsePair(std::string_view text);

// A pair behind the others, or its values behind those of the pair that has its name already.
void addValues(std::vector<NvPair>& pairs, NvPair pair);

// The other way round; parseEvent() makes an equal registration of it unless that cannot be typed.
[[nodiscard]] std::string formatEvent(const EventRegistration& event);

}  // namespace crnpd::crnpctl
