// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The yardstick of the delivery benchmark: what the connections alone cost.
//
//     bare_sender FIRST_PORT PORTS ADDRESSES EVENTS PARALLEL confirmed|polling|blind
//
// Sends EVENTS documents to each of PORTS x ADDRESSES clients (127.0.1.1 and the following addresses), a
// connection each: connect, write, shut down, close; one at a time to a client, PARALLEL at once, clients in
// turn, from the source address 127.0.0.1. "confirmed" closes when the peer has closed, which is the least
// that a success demands (section 7 of docs/protocol.md); "polling" does so too and never sleeps, so that
// nothing has to wake it; "blind" does not wait for the peer. No order, no store, no retries; an error ends
// it. Exit code 0 when everything was sent.
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::uint32_t firstAddress = 0x7F00'0101;  // 127.0.1.1

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::system_category(), what);
}

struct Options {
    unsigned firstPort = 0;
    unsigned ports = 0;
    unsigned addresses = 0;
    unsigned events = 0;
    unsigned parallel = 0;
    bool confirmed = false;
    bool sleeps = true;
};

// About as long as an event of section 6.
std::string document() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const auto stamp = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
    return R"(<?xml version="1.0" encoding="UTF-8"?><SC_EVENT VERSION="1.0" CLASS="EC_Cluster" )"
           R"(SUBCLASS="ESC_bench" VENDOR="SUNW" PUBLISHER="rgm"><NVPAIR><NAME><![CDATA[sent]]></NAME>)"
           "<VALUE><![CDATA[@" +
           std::to_string(stamp) +
           "@]]></VALUE></NVPAIR><NVPAIR><NAME><![CDATA[node_list]]></NAME><VALUE><![CDATA[node-1]]></VALUE>"
           "<VALUE><![CDATA[node-2]]></VALUE></NVPAIR></SC_EVENT>";
}

class Sender {
public:
    explicit Sender(const Options& options) : options_(options), poll_(::epoll_create1(EPOLL_CLOEXEC)) {
        if (poll_ < 0) fail("epoll_create1");
        for (unsigned address = 0; address < options.addresses; ++address)
            for (unsigned port = 0; port < options.ports; ++port) {
                Client client;
                client.address.sin_family = AF_INET;
                client.address.sin_addr.s_addr = htonl(firstAddress + address);
                client.address.sin_port = htons(static_cast<std::uint16_t>(options.firstPort + port));
                client.left = options.events;
                waiting_.push_back(client);
            }
    }

    void run() {
        std::array<epoll_event, 256> events{};
        while (!waiting_.empty() || !open_.empty()) {
            while (!waiting_.empty() && open_.size() < options_.parallel)
                start();
            if (open_.empty()) continue;
            const int count =
                ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()), options_.sleeps ? -1 : 0);
            if (count < 0 && errno != EINTR) fail("epoll_wait");
            for (int i = 0; i < count; ++i)
                goOn(events.at(static_cast<std::size_t>(i)).data.fd);
        }
    }

private:
    struct Client {
        sockaddr_in address{};
        unsigned left = 0;
    };
    struct Connection {
        Client client;
        bool written = false;
    };

    void start() {
        Connection connection{waiting_.front()};
        waiting_.pop_front();
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (socket < 0) fail("socket");
        const int yes = 1;
        ::setsockopt(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
        sockaddr_in source{};
        source.sin_family = AF_INET;
        source.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::bind(socket, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) fail("bind");
        const auto* const address = reinterpret_cast<const sockaddr*>(&connection.client.address);
        if (::connect(socket, address, sizeof connection.client.address) != 0 && errno != EINPROGRESS)
            fail("connect");
        // On one machine the handshake is over by now.
        connection.written = write(socket);
        if (connection.written && !options_.confirmed) return finish(socket, connection.client);
        watch(socket, connection.written ? EPOLLIN : EPOLLOUT, EPOLL_CTL_ADD);
        open_.emplace(socket, connection);
    }

    static bool write(int socket) {
        const std::string text = document();
        const auto length = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
        if (length < 0 && (errno == EAGAIN || errno == ENOTCONN)) return false;
        if (length != static_cast<ssize_t>(text.size())) fail("send");
        if (::shutdown(socket, SHUT_WR) != 0) fail("shutdown");
        return true;
    }

    void watch(int socket, std::uint32_t what, int operation) const {
        epoll_event event{};
        event.events = what;
        event.data.fd = socket;
        if (::epoll_ctl(poll_, operation, socket, &event) != 0) fail("epoll_ctl");
    }

    void goOn(int socket) {
        Connection& connection = open_.at(socket);
        if (connection.written) {
            char byte = 0;
            if (::read(socket, &byte, 1) != 0) fail("the peer did not just close");
        } else {
            if (!write(socket)) return;
            connection.written = true;
            if (options_.confirmed) return watch(socket, EPOLLIN, EPOLL_CTL_MOD);
        }
        const Client client = connection.client;
        open_.erase(socket);
        finish(socket, client);
    }

    void finish(int socket, Client client) {
        ::close(socket);
        if (--client.left > 0) waiting_.push_back(client);
    }

    Options options_;
    int poll_;
    std::deque<Client> waiting_;
    std::unordered_map<int, Connection> open_;
};

unsigned number(std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value == 0)
        throw std::invalid_argument(std::string(text) + " is no number above 0");
    return value;
}

Options parse(std::span<char* const> arguments) {
    const std::string_view way = arguments.size() == 7 ? arguments[6] : "";
    if (way != "confirmed" && way != "polling" && way != "blind")
        throw std::invalid_argument(
            "usage: bare_sender FIRST_PORT PORTS ADDRESSES EVENTS PARALLEL confirmed|polling|blind");
    return {number(arguments[1]), number(arguments[2]), number(arguments[3]), number(arguments[4]),
            number(arguments[5]), way != "blind",       way != "polling"};
}

}  // namespace

int main(int argc, char** argv) {
    try {
        Sender(parse(std::span(argv, static_cast<std::size_t>(argc)))).run();
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bare_sender: %s\n", error.what());
        return 1;
    }
}
