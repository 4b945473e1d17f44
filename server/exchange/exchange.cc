// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/exchange/exchange.h"

#include <utility>

#include <fmt/format.h>

#include "common/crash_point.h"

namespace crnpd::exchange {
namespace {

StatusCode statusOf(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::malformed:
            return StatusCode::malformed;
        case ErrorCode::versionTooHigh:
            return StatusCode::versionTooHigh;
        case ErrorCode::versionTooLow:
            return StatusCode::versionTooLow;
        case ErrorCode::noSpace:
            return StatusCode::lowResource;
        default:
            return StatusCode::invalid;
    }
}

std::string textOf(const Error& error) {
    return error.line == 0 ? error.text : fmt::format("line {}: {}", error.line, error.text);
}

Error tooManyBytes() {
    return {ErrorCode::noSpace, "the server holds too many unfinished messages; try again later"};
}

}  // namespace

bool MemoryBudget::take(std::size_t bytes) noexcept {
    const auto limit = limit_.load(std::memory_order_relaxed);
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= limit) return true;
    giveBack(bytes);
    return false;
}

Exchange::Exchange(Tools& tools, const IpAddress& peer, Listener& listener)
    : tools_(tools), peer_(peer), listener_(&listener) {}

Exchange::~Exchange() {
    dropBuffer();
}

bool Exchange::onBytes(std::string_view bytes) {
    if (state_ != State::reading) return false;

    const auto verdict = end_.feed(bytes);
    const bool whole = verdict == xml::MessageEnd::Verdict::complete;
    const auto size = whole ? end_.length() : buffer_.size() + bytes.size();
    if (size > tools_.messageBytes) {
        refuseDocument(
            {ErrorCode::noSpace, fmt::format("the message is longer than {} bytes", tools_.messageBytes)},
            whole);
        return false;
    }
    // The usual message comes in one piece and is parsed where it lies.
    if (whole && buffer_.empty()) {
        onMessage(bytes.substr(0, end_.length()));
        return false;
    }
    if (verdict == xml::MessageEnd::Verdict::needMore || whole) {
        if (!keep(bytes)) return false;
        if (whole) onMessage(std::string_view(buffer_).substr(0, end_.length()));
        return state_ == State::reading;
    }
    refuseDocument(end_.error(), false);
    return false;
}

void Exchange::onEnd() {
    if (state_ != State::reading) return;
    const auto verdict = end_.finish();
    if (verdict == xml::MessageEnd::Verdict::complete) {
        onMessage(std::string_view(buffer_).substr(0, end_.length()));
    } else {
        refuseDocument(end_.error(), true);
    }
}

void Exchange::refuse(Reply reply) {
    if (state_ != State::reading) return;
    Answer refusal;
    refusal.reply = std::move(reply);
    answer(refusal);
}

bool Exchange::keep(std::string_view bytes) {
    if (!tools_.memory.take(bytes.size())) {
        refuseDocument(tooManyBytes(), false);
        return false;
    }
    charged_ += bytes.size();
    buffer_.append(bytes);
    return true;
}

void Exchange::onMessage(std::string_view document) {
    auto message = tools_.reader.parse(document);
    if (!message) return refuseDocument(message.error(), true);
    crashPoint("parsed");

    // A message that waits for its decision is counted until it is answered: a disk that stalls must not
    // let the waiting ones fill the memory.
    if (charged_ == 0) {
        if (!tools_.memory.take(document.size())) return refuseDocument(tooManyBytes(), true);
        charged_ = document.size();
    }
    state_ = State::deciding;
    std::string().swap(buffer_);
    const auto type = message->type;
    const auto port = message->port;
    const auto local = listener_ == nullptr ? IpAddress{} : listener_->local();
    tools_.decider.decide(peer_, local, std::move(*message),
                          [self = shared_from_this(), type, port](Decider::Decision decision) {
                              self->onDecision(std::move(decision), type, port);
                          });
}

// The client that hung up meanwhile is registered all the same; only its reply is dropped. The decision's
// hold goes with the decision, at the end: by then the reply was written.
void Exchange::onDecision(Decider::Decision decision, RegistrationType type, std::uint16_t port) {
    answer({std::move(decision.reply), type, port, decision.registrations, true});
}

void Exchange::refuseDocument(const Error& error, bool messageIsWhole) {
    Answer refusal;
    refusal.reply = Reply{statusOf(error.code), textOf(error)};
    refusal.messageIsWhole = messageIsWhole;
    answer(refusal);
}

void Exchange::answer(const Answer& answer) {
    state_ = State::answered;
    dropBuffer();
    if (listener_ != nullptr) listener_->onAnswer(answer);
}

void Exchange::dropBuffer() noexcept {
    tools_.memory.giveBack(std::exchange(charged_, 0));
    std::string().swap(buffer_);
}

}  // namespace crnpd::exchange
