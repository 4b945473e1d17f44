// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Documents and pieces of them that several tests use.
#pragma once

#include <string>
#include <string_view>

namespace crnpd::xml::test {

// What Sun's sample client sends (section 3 of docs/protocol.md).
inline constexpr std::string_view usualMessage =
    R"(<?xml version="1.0" encoding="UTF-8" standalone="no"?><SC_CALLBACK_REG PORT="2001" REG_TYPE="ADD_CLIENT" )"
    R"(VERSION="1.0"><SC_EVENT_REG CLASS="EC_Cluster" SUBCLASS="ESC_cluster_membership"/><SC_EVENT_REG )"
    R"(CLASS="EC_Cluster" SUBCLASS="ESC_cluster_rg_state"><NVPAIR><NAME><![CDATA[rg_name]]></NAME><VALUE>)"
    R"(<![CDATA[web-rg]]></VALUE></NVPAIR></SC_EVENT_REG></SC_CALLBACK_REG>)";

inline constexpr std::string_view leavingMessage =
    R"(<SC_CALLBACK_REG PORT="2001" REG_TYPE="REMOVE_CLIENT" VERSION="1.0"/>)";

inline std::string registrationWith(std::string_view content,
                                    std::string_view attributes = R"(PORT="2001" REG_TYPE="ADD_CLIENT")") {
    return "<SC_CALLBACK_REG " + std::string(attributes) + ">" + std::string(content) + "</SC_CALLBACK_REG>";
}

inline std::string eventWith(std::string_view content) {
    return registrationWith("<SC_EVENT_REG CLASS='c'>" + std::string(content) + "</SC_EVENT_REG>");
}

inline std::string pairWith(std::string_view content) {
    return eventWith("<NVPAIR>" + std::string(content) + "</NVPAIR>");
}

inline constexpr std::string_view usualEvent =
    R"(<?xml version="1.0" encoding="UTF-8"?><SC_EVENT VERSION="1.0" CLASS="EC_Cluster" )"
    R"(SUBCLASS="ESC_cluster_rg_state" VENDOR="SUNW" PUBLISHER="rgm"><NVPAIR><NAME>rg_name</NAME>)"
    R"(<VALUE>web-rg</VALUE></NVPAIR><NVPAIR><NAME>node_list</NAME><VALUE>a</VALUE><VALUE>b</VALUE></NVPAIR>)"
    R"(<NVPAIR><NAME>state_list</NAME><VALUE>ONLINE</VALUE><VALUE>OFFLINE</VALUE></NVPAIR></SC_EVENT>)";

inline std::string event(std::string_view content) {
    return "<SC_EVENT CLASS='c' SUBCLASS='s' VENDOR='v' PUBLISHER='p'>" + std::string(content) +
           "</SC_EVENT>";
}

inline std::string repeated(std::string_view piece, std::size_t atLeast) {
    std::string out;
    out.reserve(atLeast + piece.size());
    while (out.size() < atLeast)
        out += piece;
    return out;
}

// ASCII text in UTF-16.
inline std::string utf16(std::string_view text, bool bigEndian, bool mark) {
    std::string out;
    if (mark) out = bigEndian ? "\xFE\xFF" : "\xFF\xFE";
    for (const char c : text) {
        if (bigEndian) out += '\0';
        out += c;
        if (!bigEndian) out += '\0';
    }
    return out;
}

}  // namespace crnpd::xml::test
