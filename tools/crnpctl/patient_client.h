// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Sends one document until it is answered. Who got no reply does not know whether the message counted; the
// protocol's remedy is the same message again, perhaps to the node that took over (section 4 of
// docs/protocol.md, "A reply that was lost").
//
// One attempt goes through the server's addresses until one accepts the connection. It is repeated, after a
// pause that doubles, when no address accepts, when no whole reply comes within the time limit, and on
// RETRY. Addresses that just failed come last in the next attempt, so that another node is asked. But a
// client's identity is its source address: once a document went out and was not answered, addresses of the
// same family come first, and a change of the source address is pointed out.
//
// What happens and what is done next goes to `notes`, a line each.
//
// Threads    One object, one thread; send() blocks.
#pragma once

#include <chrono>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/message.h"
#include "common/result.h"
#include "tools/crnpctl/exchange.h"

namespace crnpd::crnpctl {

struct Patience {
    unsigned attempts = 5;
    std::chrono::milliseconds firstPause{500};
    std::chrono::milliseconds longestPause{10'000};
};

// The world as the client needs it; a test has its own.
struct Outside {
    std::function<Result<std::vector<SocketAddress>>()> resolve;
    std::function<Result<Answer>(const SocketAddress& server, std::string_view document)> exchange;
    std::function<void(std::chrono::milliseconds)> pause;
};

// A reply that is the last word on the document.
struct FinalReply {
    Reply reply;
    std::string document;  // the SC_REPLY as it came
};

class PatientClient {
public:
    PatientClient(Patience patience, Outside outside, std::ostream& notes);

    // A RETRY is returned if the last attempt earned it. Errors: invalid where the answer is no SC_REPLY
    // or its code is unknown; else no attempt got a reply, or none can, and the text says so where the
    // server may have processed the document all the same. xml::Runtime must be alive.
    [[nodiscard]] Result<FinalReply> send(std::string_view document);

private:
    struct Attempt;

    Attempt attempt(std::string_view document);
    Attempt talkTo(const SocketAddress& server, std::string_view document);
    Attempt judge(const SocketAddress& server, Answer answer);
    [[nodiscard]] std::vector<SocketAddress> inOrder(std::vector<SocketAddress> addresses) const;
    void note(std::string_view text);
    [[nodiscard]] std::chrono::milliseconds pauseAfter(unsigned attempt) const;
    [[nodiscard]] Error gaveUp(const std::string& lastProblem) const;
    [[nodiscard]] Error withConsequence(Error error) const;

    Patience patience_;
    Outside outside_;
    std::ostream& notes_;
    std::vector<SocketAddress> tried_;           // without a final reply, the latest last
    std::optional<IpAddress> unansweredSource_;  // where the latest unanswered document came from
};

}  // namespace crnpd::crnpctl
