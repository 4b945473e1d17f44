// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/patient_client.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include <fmt/format.h>

#include "common/xml/message_end.h"
#include "common/xml/reply.h"
#include "tools/crnpctl/printable.h"

namespace crnpd::crnpctl {
namespace {

// Only a reply whose root element is closed is one: a code in front of a cut is no promise.
Result<Reply> readWhole(std::string_view bytes) {
    xml::MessageEnd end;
    end.feed(bytes);
    if (end.finish() != xml::MessageEnd::Verdict::complete) return end.error();
    return xml::readReply(bytes);
}

}  // namespace

// How one attempt ended. Repeated unless it has an error, or a reply other than RETRY.
struct PatientClient::Attempt {
    std::optional<FinalReply> reply;
    std::optional<Error> error;
    std::string problem;  // for a person, with the server's address
    bool connected = false;

    static Attempt hopeless(Error error) {
        Attempt attempt;
        attempt.error = std::move(error);
        return attempt;
    }
    static Attempt unconnected(std::string problem) {
        Attempt attempt;
        attempt.problem = std::move(problem);
        return attempt;
    }
};

PatientClient::PatientClient(Patience patience, Outside outside, std::ostream& notes)
    : patience_(patience), outside_(std::move(outside)), notes_(notes) {}

Result<FinalReply> PatientClient::send(std::string_view document) {
    for (unsigned number = 1;; ++number) {
        auto result = attempt(document);
        if (result.error) return withConsequence(*std::move(result.error));
        const bool retry = result.reply && result.reply->reply.code == StatusCode::retry;
        if (result.reply && !retry) return *std::move(result.reply);

        note(fmt::format("attempt {} of {}: {}", number, patience_.attempts, result.problem));
        if (number >= patience_.attempts) {
            if (retry) return *std::move(result.reply);
            return gaveUp(result.problem);
        }
        const auto pause = pauseAfter(number);
        note(fmt::format("the same message goes again in {:.1f} s",
                         std::chrono::duration<double>(pause).count()));
        outside_.pause(pause);
    }
}

PatientClient::Attempt PatientClient::attempt(std::string_view document) {
    auto addresses = outside_.resolve();
    if (!addresses) {
        if (addresses.error().code != ErrorCode::busy) return Attempt::hopeless(addresses.error());
        return Attempt::unconnected(addresses.error().text);
    }

    Attempt last;
    std::string problems;
    for (const auto& server : inOrder(*std::move(addresses))) {
        last = talkTo(server, document);
        if (last.error || last.connected) return last;
        problems += (problems.empty() ? "" : "; ") + last.problem;
    }
    return Attempt::unconnected(std::move(problems));
}

PatientClient::Attempt PatientClient::talkTo(const SocketAddress& server, std::string_view document) {
    auto answer = outside_.exchange(server, document);
    if (!answer) return Attempt::hopeless(answer.error());
    std::erase(tried_, server);
    tried_.push_back(server);
    if (!answer->connected) {
        return Attempt::unconnected(fmt::format("{}: no connection: {}", server.text(), answer->problem));
    }
    return judge(server, *std::move(answer));
}

// A reply that is whole counts, however the connection ended behind it.
PatientClient::Attempt PatientClient::judge(const SocketAddress& server, Answer answer) {
    if (unansweredSource_ && *unansweredSource_ != answer.source) {
        note(
            fmt::format("an unanswered attempt came from {}, this one from {}: to the server these are two "
                        "clients, and the first may be registered too",
                        unansweredSource_->text(), answer.source.text()));
    }
    Attempt result;
    result.connected = true;
    const auto reply = readWhole(answer.bytes);
    if (reply) {
        if (!answer.problem.empty())
            note(fmt::format("{}: behind the reply: {}", server.text(), answer.problem));
        result.problem = fmt::format("{}: {}: {}", server.text(), name(reply->code), reply->text);
        result.reply = FinalReply{*reply, std::move(answer.bytes)};
        return result;
    }
    if (reply.error().code == ErrorCode::invalid) {
        result.error = Error{ErrorCode::invalid, fmt::format("{}: {}", server.text(), reply.error().text)};
        return result;
    }
    unansweredSource_ = answer.source;
    const auto how =
        answer.problem.empty() ? std::string("the server closed the connection") : answer.problem;
    const auto what = answer.bytes.empty() ? std::string("no reply")
                                           : fmt::format("{} bytes that are no whole reply ({})",
                                                         answer.bytes.size(), reply.error().text);
    result.problem = fmt::format("{}: {}: {}", server.text(), what, how);
    return result;
}

// Addresses not tried yet in the order of the resolver, then the tried ones, the one tried last at the end;
// in front of all others those whose family keeps our source address what it was.
std::vector<SocketAddress> PatientClient::inOrder(std::vector<SocketAddress> addresses) const {
    const auto whenTried = [&](const SocketAddress& address) {
        const auto found = std::find(tried_.begin(), tried_.end(), address);
        return found == tried_.end() ? -1 : found - tried_.begin();
    };
    std::stable_sort(addresses.begin(), addresses.end(), [&](const auto& left, const auto& right) {
        if (unansweredSource_) {
            const bool leftFits = left.ip.isV6() == unansweredSource_->isV6();
            const bool rightFits = right.ip.isV6() == unansweredSource_->isV6();
            if (leftFits != rightFits) return leftFits;
        }
        return whenTried(left) < whenTried(right);
    });
    return addresses;
}

void PatientClient::note(std::string_view text) {
    notes_ << "crnpctl: " << printable(text) << std::endl;
}

std::chrono::milliseconds PatientClient::pauseAfter(unsigned attempt) const {
    auto pause = patience_.firstPause;
    for (unsigned i = 1; i < attempt && pause < patience_.longestPause; ++i)
        pause *= 2;
    return std::min(pause, patience_.longestPause);
}

Error PatientClient::gaveUp(const std::string& lastProblem) const {
    if (unansweredSource_) return withConsequence({ErrorCode::io, "no reply; last: " + lastProblem});
    return {ErrorCode::io, "no reply, and no server acted on the message; last: " + lastProblem};
}

// Who got no reply must know that the message may count all the same.
Error PatientClient::withConsequence(Error error) const {
    if (unansweredSource_) {
        error.text +=
            ". An attempt was not answered: the server may have processed the message or not; the same "
            "command again is safe";
    }
    return error;
}

}  // namespace crnpd::crnpctl
