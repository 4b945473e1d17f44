// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// One connection to a server: the document out, the answer in, as a client does it (section 2 of
// docs/protocol.md). No half-close unless it is asked for; reads until the server closes.
//
// Threads    Free functions without state. They block for at most the time limit.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/address.h"
#include "common/result.h"
#include "tools/crnpctl/await.h"

namespace crnpd::crnpctl {

struct ExchangeOptions {
    std::optional<IpAddress> source;            // the local address, which is the client's identity
    std::chrono::milliseconds timeout{10'000};  // for all of it: connecting, writing, reading
    std::size_t split = 0;                      // bytes a write; 0 = all at once
    bool halfClose = false;
};

// What came of one connection.
struct Answer {
    static constexpr std::size_t longest = 1 << 20;  // in bytes

    bool connected = false;  // false: the server has not seen a byte of the document
    IpAddress source;        // who the server took us for, if connected
    std::string bytes;       // what it wrote, perhaps not all of it
    std::string problem;     // why there may be no more bytes; empty when the server closed in order
    bool cancelled = false;  // stopped before it was at its end
};

// Errors: invalidArgument or io where no repetition can help: the source address is not one of this machine,
// or this process cannot open a socket. The callers of `meanwhile` are not looked at once the answer has
// begun: who calls then may well be the server, which calls whom it has answered.
[[nodiscard]] Result<Answer> exchange(const SocketAddress& server, std::string_view document,
                                      const ExchangeOptions& options, const Meanwhile& meanwhile = {});

}  // namespace crnpd::crnpctl
