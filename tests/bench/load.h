// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Exchanges against 127.0.0.1, as many as the server can take.
//
// Promise    `connections` exchanges are under way at any time. Each one is a connection of its own: connect,
//            write one message, read the reply to the end of file, close. An exchange counts as answered only
//            if that reply is what the dialogue wants and the server closed without a reset.
// Measured   From before connect() to the end of file. Exchanges that end within the measured time count;
//            the warm-up before it and what is still open afterwards do not.
// Threads    One; it shares the machine with the server it measures, so it makes six system calls an
//            exchange. Errors     Are counted, and the first one is told in words. After `errorLimit` of
//            them the run ends early.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace crnpd::bench {

struct Options {
    std::uint16_t port = 0;
    unsigned connections = 1;
    std::chrono::milliseconds warmUp{1000};
    std::chrono::milliseconds measured{5000};
};

struct Report {
    std::vector<std::chrono::nanoseconds> latencies;  // one for each exchange that ended in the measured time
    std::chrono::nanoseconds measured{};              // how long that was
    std::uint64_t answered = 0;                       // every OK, those of the warm-up and the end too
    std::uint64_t errors = 0;
    std::string firstError;
};

inline constexpr std::uint64_t errorLimit = 1000;

// What is said on each connection, and what a good answer is.
class Dialogue {
public:
    Dialogue() = default;
    virtual ~Dialogue() = default;
    Dialogue(const Dialogue&) = delete;
    Dialogue& operator=(const Dialogue&) = delete;

    // Valid until the next call.
    [[nodiscard]] virtual std::string_view next() = 0;
    [[nodiscard]] virtual bool accepts(std::string_view reply) const = 0;
};

// One ADD_CLIENT each (section 3 of docs/protocol.md), answered OK. No two messages are alike: a client that
// was registered before gets a different rg_name, so each message changes what a server has to keep. The
// clients are the ports 1..60,000.
class Registrations final : public Dialogue {
public:
    [[nodiscard]] std::string_view next() override;
    [[nodiscard]] bool accepts(std::string_view reply) const override;

private:
    std::uint64_t serial_ = 0;
    std::string text_;
};

// The same contents as PUTs to etcd's HTTP gateway: what a program would do that writes each registration for
// itself.
class PlainPuts final : public Dialogue {
public:
    [[nodiscard]] std::string_view next() override;
    [[nodiscard]] bool accepts(std::string_view reply) const override;

private:
    Registrations registrations_;
    std::uint64_t serial_ = 0;
    std::string text_;
};

[[nodiscard]] Report run(const Options& options, Dialogue& dialogue);

}  // namespace crnpd::bench
