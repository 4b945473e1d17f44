// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The clients of the delivery benchmark: takes events on many ports as fast as it can.
//
//     event_sink FIRST_PORT PORTS     listens on every local address; prints "ready"; runs to the end of
//     stdin
//
// Each connection is accepted, read to its end of file and closed. One that brought a document counts as
// taken; one that was reset, or brought nothing, as broken. A stamp in the document, @nanoseconds of
// CLOCK_MONOTONIC@, makes a latency: to the end of file. Commands, one a line: "zero" forgets what was
// counted, "report" prints it as a line of JSON; `seconds` is the time from the first taken document to the
// last.
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <vector>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr int backlog = 4096;

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::system_category(), what);
}

std::optional<nanoseconds> stampIn(std::string_view text) {
    const auto begin = text.find('@');
    if (begin == std::string_view::npos) return std::nullopt;
    std::int64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [last, error] = std::from_chars(text.data() + begin + 1, end, value);
    if (error != std::errc{} || last == end || *last != '@') return std::nullopt;
    return nanoseconds(value);
}

class Counts {
public:
    void take(std::optional<nanoseconds> stamp) {
        last_ = Clock::now();
        if (taken_++ == 0) first_ = last_;
        if (stamp) latencies_.push_back(last_.time_since_epoch() - *stamp);
    }
    void breakOne() { ++broken_; }

    void print() {
        std::sort(latencies_.begin(), latencies_.end());
        std::printf(
            R"({"taken": %llu, "broken": %llu, "seconds": %.6f, "p50_us": %.1f, "p99_us": %.1f, "max_us": %.1f})"
            "\n",
            static_cast<unsigned long long>(taken_), static_cast<unsigned long long>(broken_),
            std::chrono::duration<double>(last_ - first_).count(), quantile(0.5), quantile(0.99),
            quantile(1));
        std::fflush(stdout);
    }

private:
    [[nodiscard]] double quantile(double share) const {
        if (latencies_.empty()) return 0;
        const auto index = static_cast<std::size_t>(share * static_cast<double>(latencies_.size() - 1));
        return static_cast<double>(latencies_[index].count()) / 1000.0;
    }

    std::uint64_t taken_ = 0;
    std::uint64_t broken_ = 0;
    Clock::time_point first_;
    Clock::time_point last_;
    std::vector<nanoseconds> latencies_;
};

class Sink {
public:
    Sink(unsigned firstPort, unsigned ports) : poll_(::epoll_create1(EPOLL_CLOEXEC)) {
        if (poll_ < 0) fail("epoll_create1");
        for (unsigned i = 0; i < ports; ++i)
            listen(firstPort + i);
        watch(STDIN_FILENO);
    }

    void run() {
        std::array<epoll_event, 256> events{};
        while (!over_) {
            const int count = ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()), -1);
            if (count < 0 && errno != EINTR) fail("epoll_wait");
            for (int i = 0; i < count; ++i)
                serve(events.at(static_cast<std::size_t>(i)).data.fd);
        }
    }

private:
    struct Connection {
        bool listens = false;
        bool hasBytes = false;
        std::optional<nanoseconds> stamp;
    };

    void watch(int socket) const {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = socket;
        if (::epoll_ctl(poll_, EPOLL_CTL_ADD, socket, &event) != 0) fail("epoll_ctl");
    }

    void listen(unsigned port) {
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (socket < 0) fail("socket");
        const int yes = 1;
        ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("bind");
        if (::listen(socket, backlog) != 0) fail("listen");
        connections_[socket].listens = true;
        watch(socket);
    }

    void serve(int socket) {
        if (socket == STDIN_FILENO) return obey();
        const auto found = connections_.find(socket);
        if (found == connections_.end()) return;
        if (found->second.listens) return accept(socket);
        read(socket, found->second);
    }

    // A few at a time, so that those that are open get their turn.
    void accept(int listener) {
        for (int i = 0; i < 16; ++i) {
            const int socket = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (socket < 0) return;
            Connection connection;
            // Mostly everything is there already.
            if (!readAll(socket, connection)) continue;
            connections_[socket] = connection;
            watch(socket);
        }
    }

    void read(int socket, Connection& connection) {
        if (!readAll(socket, connection)) connections_.erase(socket);
    }

    // False once the connection is closed.
    bool readAll(int socket, Connection& connection) {
        while (true) {
            const auto length = ::read(socket, buffer_.data(), buffer_.size());
            if (length < 0 && (errno == EAGAIN || errno == EINTR)) return true;
            if (length <= 0) {
                end(socket, connection, length == 0 && connection.hasBytes);
                return false;
            }
            connection.hasBytes = true;
            if (!connection.stamp)
                connection.stamp =
                    stampIn(std::string_view(buffer_.data(), static_cast<std::size_t>(length)));
        }
    }

    void end(int socket, const Connection& connection, bool whole) {
        if (whole)
            counts_.take(connection.stamp);
        else
            counts_.breakOne();
        ::close(socket);
    }

    void obey() {
        const auto length = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
        if (length <= 0) {
            over_ = true;
            return;
        }
        const std::string_view text(buffer_.data(), static_cast<std::size_t>(length));
        if (text == "zero\n") {
            counts_ = Counts();
            std::puts("{}");
            std::fflush(stdout);
        } else if (text == "report\n") {
            counts_.print();
        }
    }

    int poll_;
    bool over_ = false;
    std::unordered_map<int, Connection> connections_;
    Counts counts_;
    std::array<char, 65'536> buffer_{};
};

unsigned number(std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value == 0 || value > 65'535)
        throw std::invalid_argument(std::string(text) + " is no number from 1 to 65535");
    return value;
}

// As many descriptors as there may be.
void raiseLimit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const std::span arguments(argv, static_cast<std::size_t>(argc));
        if (arguments.size() != 3) throw std::invalid_argument("usage: event_sink FIRST_PORT PORTS");
        raiseLimit();
        Sink sink(number(arguments[1]), number(arguments[2]));
        std::puts("ready");
        std::fflush(stdout);
        sink.run();
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "event_sink: %s\n", error.what());
        return 1;
    }
}
