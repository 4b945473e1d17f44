// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The yardstick of the benchmark: what libevent alone makes of a registration exchange.
//
// Reads until the root element's end tag, writes a constant SC_REPLY, closes. No XML, no rules, no store, one
// thread. Nothing that accepts connections with libevent's bufferevents and says something is much simpler,
// so the share of its speed that crnpd reaches is the price of everything crnpd promises.
//
//     bare_server [--deferred]    listens on 127.0.0.1, any port; prints the port; runs until SIGTERM
//
// --deferred sets TCP_DEFER_ACCEPT on the listener.
#include <array>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string_view>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>

namespace {

constexpr std::string_view reply =
    R"(<?xml version="1.0" encoding="UTF-8"?><SC_REPLY VERSION="1.0" STATUS_CODE="OK">)"
    "<SC_STATUS_MSG>The registration is stored.</SC_STATUS_MSG></SC_REPLY>";
constexpr std::string_view endTag = "</SC_CALLBACK_REG>";
constexpr int backlog = 4096;

// Either the end tag has arrived, or the root is an empty element (it has no other elements and ends in
// "/>").
bool complete(evbuffer* input) {
    if (evbuffer_search(input, endTag.data(), endTag.size(), nullptr).pos >= 0) return true;

    std::array<char, 2> last{};
    const std::size_t length = evbuffer_get_length(input);
    if (length < last.size()) return false;
    evbuffer_ptr position;
    evbuffer_ptr_set(input, &position, length - last.size(), EVBUFFER_PTR_SET);
    evbuffer_copyout_from(input, &position, last.data(), last.size());
    constexpr std::string_view child = "<SC_EVENT_REG";
    return std::string_view(last.data(), last.size()) == "/>" &&
           evbuffer_search(input, child.data(), child.size(), nullptr).pos < 0;
}

void onWritten(bufferevent* connection, void* /*unused*/) {
    bufferevent_free(connection);
}

void onEnd(bufferevent* connection, short /*what*/, void* /*unused*/) {
    bufferevent_free(connection);
}

void onRead(bufferevent* connection, void* /*unused*/) {
    evbuffer* input = bufferevent_get_input(connection);
    if (!complete(input)) return;
    evbuffer_drain(input, evbuffer_get_length(input));
    bufferevent_setcb(connection, nullptr, onWritten, onEnd, nullptr);
    bufferevent_write(connection, reply.data(), reply.size());
}

void onAccept(evconnlistener* listener, evutil_socket_t socket, sockaddr* /*peer*/, int /*length*/,
              void* /*unused*/) {
    bufferevent* connection =
        bufferevent_socket_new(evconnlistener_get_base(listener), socket, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(connection, onRead, nullptr, onEnd, nullptr);
    bufferevent_enable(connection, EV_READ | EV_WRITE);
}

void onSignal(evutil_socket_t /*signal*/, short /*what*/, void* base) {
    event_base_loopbreak(static_cast<event_base*>(base));
}

unsigned portOf(evconnlistener* listener) {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    ::getsockname(evconnlistener_get_fd(listener), reinterpret_cast<sockaddr*>(&address), &length);
    return ntohs(address.sin_port);
}

}  // namespace

int main(int argc, char** argv) {
    const bool deferred = argc == 2 && std::string_view(argv[1]) == "--deferred";
    if (argc > 1 && !deferred) {
        std::fprintf(stderr, "usage: bare_server [--deferred]\n");
        return 2;
    }

    const std::unique_ptr<event_base, decltype(&event_base_free)> base(event_base_new(), event_base_free);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const unsigned options =
        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | (deferred ? unsigned{LEV_OPT_DEFERRED_ACCEPT} : 0U);
    const std::unique_ptr<evconnlistener, decltype(&evconnlistener_free)> listener(
        evconnlistener_new_bind(base.get(), onAccept, nullptr, options, backlog,
                                reinterpret_cast<const sockaddr*>(&address), sizeof address),
        evconnlistener_free);
    if (!listener) {
        std::perror("bare_server: cannot listen on 127.0.0.1");
        return 1;
    }
    const std::unique_ptr<event, decltype(&event_free)> stop(
        evsignal_new(base.get(), SIGTERM, onSignal, base.get()), event_free);
    event_add(stop.get(), nullptr);

    std::printf("%u\n", portOf(listener.get()));
    std::fflush(stdout);
    event_base_dispatch(base.get());
    return 0;
}
