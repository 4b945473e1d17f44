// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/load.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <stdexcept>
#include <system_error>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/unique_fd.h"

namespace crnpd::bench {
namespace {

using Steady = std::chrono::steady_clock;

// What is still open when the measured time is over gets this long to be answered; then it is an error.
constexpr std::chrono::seconds patience{5};

struct Exchange {
    UniqueFd socket;
    Steady::time_point begun;
    std::string unsent;
};

class Load {
public:
    Load(const Options& options, Dialogue& dialogue);
    Report run();

private:
    void begin(Exchange& exchange);
    void send(Exchange& exchange);
    void advance(Exchange& exchange, std::uint32_t events);
    void finish(Exchange& exchange);
    void fail(Exchange& exchange, std::string_view what, int error);
    void settle(Exchange& exchange);
    void waitOnce(Steady::time_point until);

    Options options_;
    sockaddr_in server_{};
    UniqueFd epoll_;
    Dialogue& dialogue_;
    std::vector<Exchange> exchanges_;
    Steady::time_point measureFrom_;
    Steady::time_point measureUntil_;
    bool renewing_ = true;
    std::size_t open_ = 0;
    Report report_;
};

Load::Load(const Options& options, Dialogue& dialogue)
    : options_(options),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      dialogue_(dialogue),
      exchanges_(options.connections) {
    if (!epoll_) throw std::system_error(errno, std::generic_category(), "epoll_create1");
    server_.sin_family = AF_INET;
    server_.sin_port = htons(options.port);
    server_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

void Load::begin(Exchange& exchange) {
    exchange.begun = Steady::now();
    exchange.socket = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!exchange.socket) throw std::system_error(errno, std::generic_category(), "socket");
    ++open_;
    const int fd = exchange.socket.fd();
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&server_), sizeof server_) < 0 &&
        errno != EINPROGRESS)
        return fail(exchange, "connect", errno);

    exchange.unsent = dialogue_.next();
    send(exchange);
    if (!exchange.socket) return;

    // Woken once, when the server's end of file has arrived: the reply is complete then. On the loopback the
    // connection usually stands when connect() returns, so that the message is already on its way.
    epoll_event event{};
    event.events = EPOLLRDHUP | EPOLLET;
    if (!exchange.unsent.empty()) event.events |= EPOLLOUT;
    event.data.ptr = &exchange;
    if (::epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, fd, &event) < 0) fail(exchange, "epoll_ctl", errno);
}

void Load::send(Exchange& exchange) {
    const auto& unsent = exchange.unsent;
    const ssize_t sent = ::send(exchange.socket.fd(), unsent.data(), unsent.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
        exchange.unsent.erase(0, static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN) {
        fail(exchange, "send", errno);
    }
}

void Load::advance(Exchange& exchange, std::uint32_t events) {
    if (!exchange.unsent.empty()) {
        send(exchange);
        if (!exchange.socket) return;
    }
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) finish(exchange);
}

void Load::finish(Exchange& exchange) {
    std::array<char, 4096> buffer;
    std::size_t length = 0;
    while (length < buffer.size()) {
        const ssize_t got = ::recv(exchange.socket.fd(), buffer.data() + length, buffer.size() - length, 0);
        if (got < 0) return fail(exchange, "recv", errno);
        if (got == 0) break;
        length += static_cast<std::size_t>(got);
    }
    const Steady::time_point now = Steady::now();
    const std::string_view reply(buffer.data(), length);
    if (!dialogue_.accepts(reply)) return fail(exchange, reply.empty() ? "no reply" : reply, 0);

    ++report_.answered;
    if (now >= measureFrom_ && now < measureUntil_) report_.latencies.push_back(now - exchange.begun);
    settle(exchange);
}

void Load::fail(Exchange& exchange, std::string_view what, int error) {
    if (report_.errors++ == 0) {
        report_.firstError = what;
        if (error != 0) report_.firstError.append(": ").append(std::strerror(error));
    }
    settle(exchange);
}

void Load::settle(Exchange& exchange) {
    exchange.socket.reset();
    exchange.unsent.clear();
    --open_;
}

// Sleeps for the next ends of exchanges and begins a new one for each. Not in settle(): a server that refuses
// every connection would make that a recursion.
void Load::waitOnce(Steady::time_point until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Steady::now()).count();
    std::array<epoll_event, 256> events;
    const int count = ::epoll_wait(epoll_.fd(), events.data(), static_cast<int>(events.size()),
                                   open_ == 0 ? 0 : static_cast<int>(left));
    if (count < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "epoll_wait");
    for (const epoll_event& event :
         std::span(events).first(count < 0 ? 0U : static_cast<std::size_t>(count))) {
        auto& exchange = *static_cast<Exchange*>(event.data.ptr);
        advance(exchange, event.events);
        if (renewing_ && !exchange.socket) begin(exchange);
    }
}

Report Load::run() {
    measureFrom_ = Steady::now() + options_.warmUp;
    measureUntil_ = measureFrom_ + options_.measured;
    while (Steady::now() < measureUntil_ && report_.errors < errorLimit) {
        // All of them only at the start, and those that failed before they could wait.
        if (open_ < exchanges_.size()) {
            for (Exchange& exchange : exchanges_)
                if (!exchange.socket) begin(exchange);
        }
        waitOnce(measureUntil_);
    }
    report_.measured = options_.measured;

    renewing_ = false;
    const auto giveUp = Steady::now() + patience;
    while (open_ > 0 && Steady::now() < giveUp)
        waitOnce(giveUp);
    for (Exchange& exchange : exchanges_)
        if (exchange.socket) fail(exchange, "no reply within 5 s after the end of the run", 0);
    return std::move(report_);
}

std::string base64(std::string_view text) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((text.size() + 2) / 3 * 4);
    for (; !text.empty(); text.remove_prefix(std::min<std::size_t>(text.size(), 3))) {
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < 3; ++i)
            bits = bits << 8U | (i < text.size() ? static_cast<unsigned char>(text[i]) : 0U);
        for (std::size_t i = 0; i < 4; ++i)
            out += i <= text.size() ? digits[bits >> (18 - 6 * i) & 0x3FU] : '=';
    }
    return out;
}

}  // namespace

// A full round of the ports goes by before one comes again, and each round takes them in another order, so
// that a store cannot live on neighbouring rows. A prime above 5 has no divisor in common with 60,000.
std::string_view Registrations::next() {
    constexpr std::uint64_t ports = 60'000;
    constexpr std::array<std::uint64_t, 5> strides{7919, 17'389, 28'657, 39'119, 51'503};
    const std::uint64_t stride = strides[serial_ / ports % strides.size()];
    const std::uint64_t port = 1 + serial_ * stride % ports;

    text_ = R"(<?xml version="1.0" encoding="UTF-8" standalone="no"?><SC_CALLBACK_REG PORT=")";
    text_ += std::to_string(port);
    text_ +=
        R"(" REG_TYPE="ADD_CLIENT" VERSION="1.0"><SC_EVENT_REG CLASS="EC_Cluster" SUBCLASS="ESC_cluster_membership"/>)"
        R"(<SC_EVENT_REG CLASS="EC_Cluster" SUBCLASS="ESC_cluster_rg_state"><NVPAIR><NAME><![CDATA[rg_name]]></NAME>)"
        R"(<VALUE><![CDATA[web-rg-)";
    text_ += std::to_string(serial_++);
    text_ += "]]></VALUE></NVPAIR></SC_EVENT_REG></SC_CALLBACK_REG>";
    return text_;
}

bool Registrations::accepts(std::string_view reply) const {
    return reply.find(R"(STATUS_CODE="OK")") != std::string_view::npos && reply.ends_with("</SC_REPLY>");
}

std::string_view PlainPuts::next() {
    const std::string body = R"({"key":")" + base64("/plain/" + std::to_string(serial_++ % 60'000)) +
                             R"(","value":")" + base64(registrations_.next()) + "\"}";
    text_ = "POST /v3/kv/put HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body;
    return text_;
}

bool PlainPuts::accepts(std::string_view reply) const {
    return reply.starts_with("HTTP/1.1 200 ") && reply.find(R"("revision")") != std::string_view::npos;
}

Report run(const Options& options, Dialogue& dialogue) {
    return Load(options, dialogue).run();
}

}  // namespace crnpd::bench
