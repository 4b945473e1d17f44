// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// One request and its reply: reading -> deciding -> answered (sections 2 and 3 of docs/protocol.md).
// Knows no sockets and no threads: bytes come in, one answer goes out.
//
// Promise    Exactly one answer, given to the Listener. The message is decided even if nobody is left to
//            hear the reply (section 2, point 4). What a Decision holds shut ("reply first, then event",
//            section 7) opens when onAnswer() has returned, or the decision meets nobody.
// Threads    Its loop's. The Decider answers on the same thread, later than the call.
// Ownership  A shared_ptr holds it, because the decision may come after the connection is gone.
// Memory     What has been read is counted against a MemoryBudget that all connections share, until it is
//            answered.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/address.h"
#include "common/message.h"
#include "common/reply_gate.h"
#include "common/result.h"
#include "common/xml/message_end.h"
#include "common/xml/registration_reader.h"

namespace crnpd::exchange {

// How a request ends.
struct Answer {
    std::optional<Reply> reply;  // nothing: close without a reply, the outcome is unknown
    // What the log tells of it.
    std::optional<RegistrationType> type;  // of a message that could be read
    std::uint16_t port = 0;                // the same
    std::size_t registrations = 0;         // the client's, after the request
    // False: the client may still be sending.
    bool messageIsWhole = false;
};

// Where a request that was understood is decided and committed.
class Decider {
public:
    struct Decision {
        std::optional<Reply> reply;
        std::size_t registrations = 0;
        // Let go once the reply was written or nobody is left to hear it.
        ReplyHold hold{};
    };
    using Decided = std::function<void(Decision)>;

    virtual ~Decider() = default;
    // `local` is the address of ours to which the message came; 0.0.0.0 where it is not known.
    virtual void decide(const IpAddress& peer, const IpAddress& local, RegistrationMessage message,
                        Decided decided) = 0;
};

// Bytes that all connections together may hold. May be shared by threads.
class MemoryBudget {
public:
    explicit MemoryBudget(std::size_t bytes) : limit_(bytes) {}

    void setLimit(std::size_t bytes) noexcept { limit_.store(bytes, std::memory_order_relaxed); }
    [[nodiscard]] bool take(std::size_t bytes) noexcept;
    void giveBack(std::size_t bytes) noexcept { used_.fetch_sub(bytes, std::memory_order_relaxed); }
    [[nodiscard]] std::size_t used() const noexcept { return used_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::size_t> limit_;
    std::atomic<std::size_t> used_{0};
};

// What the exchanges of one loop share.
struct Tools {
    xml::RegistrationReader& reader;
    Decider& decider;
    MemoryBudget& memory;
    std::size_t messageBytes;  // the longest message that is accepted
};

class Exchange : public std::enable_shared_from_this<Exchange> {
public:
    class Listener {
    public:
        virtual ~Listener() = default;
        virtual void onAnswer(const Answer& answer) = 0;
        // Our end of the connection. Asked once, for a message that is going to be decided.
        [[nodiscard]] virtual IpAddress local() const noexcept = 0;
    };

    // `listener` is told the answer unless it has left() before.
    Exchange(Tools& tools, const IpAddress& peer, Listener& listener);
    ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    // The next bytes of the message. False once no more are wanted.
    bool onBytes(std::string_view bytes);
    // The client has shut its side.
    void onEnd();

    // Answers `reply` unless the message is complete already: time ran out, the server stops, no access.
    void refuse(Reply reply);

    // The listener is going away; a decision that is under way stays under way.
    void left() noexcept { listener_ = nullptr; }

    [[nodiscard]] bool isReading() const noexcept { return state_ == State::reading; }

private:
    enum class State { reading, deciding, answered };

    void onVerdict(std::string_view document);
    void onMessage(std::string_view document);
    void onDecision(Decider::Decision decision, RegistrationType type, std::uint16_t port);
    bool keep(std::string_view bytes);
    void refuseDocument(const Error& error, bool messageIsWhole);
    void answer(const Answer& answer);
    void dropBuffer() noexcept;

    Tools& tools_;
    IpAddress peer_;
    Listener* listener_;
    State state_ = State::reading;
    xml::MessageEnd end_;
    std::string buffer_;       // what came before the current bytes
    std::size_t charged_ = 0;  // bytes taken from the budget
};

}  // namespace crnpd::exchange
