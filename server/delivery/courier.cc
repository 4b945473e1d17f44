// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/courier.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/crash_point.h"

namespace crnpd::delivery {
namespace {

// How often it is looked whether the last bytes were acknowledged, where the peer closed before.
constexpr std::chrono::milliseconds lookAgainAfter{5};
// Reads of one turn: a client that sends without end must not keep the loop from the others.
constexpr int mostReads = 16;

std::string textOf(int error) {
    switch (error) {
        case ECONNREFUSED:
            return "refused: nothing listens there";
        case ECONNRESET:
        case EPIPE:
            return "reset: the client closed without reading all";
        case EADDRNOTAVAIL:
            return "this machine has no address or no port left from which to reach it";
        case ETIMEDOUT:
            return "timed out: no answer from its machine";
        default:
            return std::system_category().message(error);
    }
}

Courier::End failed(std::string trouble) {
    return {Courier::End::How::failed, std::move(trouble)};
}

Courier::End failed(int error) {
    return failed(textOf(error));
}

Courier::End postponed() {
    return {Courier::End::How::postponed, {}};
}

bool isOurOwn(int error) noexcept {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

int pendingError(int fd) noexcept {
    int error = 0;
    socklen_t length = sizeof error;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

void turnOn(int fd, int level, int option) noexcept {
    const int on = 1;
    [[maybe_unused]] const int result = ::setsockopt(fd, level, option, &on, sizeof on);
}

}  // namespace

Courier::Courier(net::Loop& loop, const Clock& clock, const SendRules& rules, Permission mayBegin,
                 OnEnd onEnd)
    : loop_(loop),
      clock_(clock),
      rules_(rules),
      mayBegin_(std::move(mayBegin)),
      onEnd_(std::move(onEnd)),
      timer_(loop, [this] { onTime(); }) {}

Courier::~Courier() = default;

// --- beginning

// An address that this machine has no more, or a port that is taken, is no reason to keep an event from a
// client: then the system chooses.
void Courier::bindTo(int fd, const IpAddress& via, std::uint16_t port) const {
    if (via == IpAddress{} && port == 0) return;
    sockaddr_storage address{};
    if (port != 0) {
        turnOn(fd, SOL_SOCKET, SO_REUSEADDR);
        turnOn(fd, SOL_SOCKET, SO_REUSEPORT);
        const socklen_t length = SocketAddress{via, port}.toSockaddr(address);
        if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), length) == 0) return;
    }
    // The port is chosen by connect(), which knows that one may serve several destinations.
    turnOn(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    const socklen_t length = SocketAddress{via, 0}.toSockaddr(address);
    [[maybe_unused]] const int result = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), length);
}

Result<UniqueFd> Courier::open(const Letter& letter) const {
    sockaddr_storage to{};
    const socklen_t length = letter.to.toSockaddr(to);
    const bool canBind = letter.via.isV6() == letter.to.ip.isV6();
    std::uint16_t port = canBind && rules_.bindSourcePort ? rules_.sourcePort : std::uint16_t{0};
    for (;;) {
        UniqueFd fd(::socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (!fd) return Error{ErrorCode::noSpace, std::system_category().message(errno)};
        if (canBind) bindTo(fd.fd(), letter.via, port);
        crashPoint("before_connect");
        if (!mayBegin_()) return Error{ErrorCode::superseded, {}};
        if (::connect(fd.fd(), reinterpret_cast<const sockaddr*>(&to), length) == 0) return fd;
        const int error = errno;
        if (error == EINPROGRESS || error == EINTR) return fd;
        if (port != 0 && (error == EADDRNOTAVAIL || error == EADDRINUSE)) {
            port = 0;  // the connection before, from this port to that one, is not forgotten yet
            continue;
        }
        return Error{isOurOwn(error) ? ErrorCode::noSpace : ErrorCode::io, textOf(error)};
    }
}

Result<void> Courier::begin(std::uint64_t ticket, Letter letter) {
    auto fd = open(letter);
    if (!fd && fd.error().code == ErrorCode::noSpace) return fd.error();
    if (!fd) {
        const bool wasForbidden = fd.error().code == ErrorCode::superseded;
        ended_.emplace_back(ticket, wasForbidden ? postponed() : failed(fd.error().text));
        return {};
    }
    crashPoint("after_connect");
    auto attempt = std::make_unique<Attempt>();
    attempt->fd = *std::move(fd);
    attempt->letter = std::move(letter);
    if (auto outcome = advance(*attempt)) {
        ended_.emplace_back(ticket, *std::move(outcome));
        return {};
    }
    attempt->timeout = rules_.timeout;
    attempt->deadline = clock_.steady() + rules_.timeout;
    deadlines_.emplace(attempt->deadline, ticket);
    attempts_.emplace(ticket, std::move(attempt));
    fresh_.push_back(ticket);
    return {};
}

// --- going on

Courier::Outcome Courier::advance(Attempt& attempt) const {
    if (attempt.stage == Stage::writing) {
        if (auto outcome = write(attempt)) return outcome;
    }
    if (attempt.stage == Stage::reading) {
        if (auto outcome = read(attempt)) return outcome;
    }
    return attempt.stage == Stage::unacknowledged ? acknowledged(attempt) : std::nullopt;
}

Courier::Outcome Courier::write(Attempt& attempt) const {
    if (attempt.written == 0 && !mayBegin_()) return postponed();
    const std::string& document = *attempt.letter.document;
    while (attempt.written < document.size()) {
        crashPointHalf("event_half", attempt.fd.fd(), document);
        // MSG_MORE holds the last bytes back for the FIN: both leave in one segment.
        const ssize_t length = ::send(attempt.fd.fd(), document.data() + attempt.written,
                                      document.size() - attempt.written, MSG_NOSIGNAL | MSG_MORE);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
        if (length < 0) return failed(errno);
        attempt.written += static_cast<std::size_t>(length);
    }
    crashPoint("document_sent");
    if (::shutdown(attempt.fd.fd(), SHUT_WR) != 0) {
        const int error = errno;
        return failed(error == ENOTCONN ? ECONNRESET : error);
    }
    crashPoint("document_shut");
    attempt.stage = Stage::reading;
    return std::nullopt;
}

Courier::Outcome Courier::read(Attempt& attempt) {
    std::array<char, 4096> thrownAway{};
    for (int turn = 0; turn < mostReads; ++turn) {
        const ssize_t length = ::recv(attempt.fd.fd(), thrownAway.data(), thrownAway.size(), 0);
        if (length == 0) {
            attempt.stage = Stage::unacknowledged;
            return std::nullopt;
        }
        attempt.isAnswered = attempt.isAnswered || length > 0;
        if (length > 0 || errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
        return failed(errno);
    }
    return std::nullopt;
}

// A peer that closed before it had everything answers the rest with a reset, which may still be on its way.
Courier::Outcome Courier::acknowledged(Attempt& attempt) {
    if (const int error = pendingError(attempt.fd.fd()); error != 0) return failed(error);
    int left = 0;
    if (::ioctl(attempt.fd.fd(), SIOCOUTQ, &left) == 0 && left > 0) return std::nullopt;
    crashPoint("document_acknowledged");
    return End{};
}

std::size_t Courier::settle() {
    for (const std::uint64_t ticket : std::exchange(fresh_, {})) {
        const auto found = attempts_.find(ticket);
        if (found == attempts_.end()) continue;
        auto outcome = advance(*found->second);
        if (!outcome && attempts_.size() == 1) outcome = lookOn(*found->second);
        if (!outcome && !watch(ticket, *found->second)) outcome = failed("out of memory");
        if (!outcome) continue;
        forget(found);
        ended_.emplace_back(ticket, *std::move(outcome));
    }
    const auto ended = std::exchange(ended_, {});
    for (const auto& [ticket, end] : ended)
        onEnd_(ticket, end);
    armTimer();
    return ended.size();
}

// No other attempt waits meanwhile. Whoever sends without end is not looked at on and on.
Courier::Outcome Courier::lookOn(Attempt& attempt) {
    if (attempt.stage == Stage::writing || attempt.isAnswered || !promptness_.paysToLook())
        return std::nullopt;
    Outcome outcome;
    for (int look = 0; !outcome && !attempt.isAnswered && look < rules_.mostLooks; ++look)
        outcome = advance(attempt);
    if (outcome) {
        promptness_.paidOff();
    } else {
        promptness_.wasInVain();
    }
    return outcome;
}

bool Courier::watch(std::uint64_t ticket, Attempt& attempt) {
    if (attempt.stage == Stage::unacknowledged) {
        attempt.watch.reset();
        unacknowledged_.push_back(ticket);
        return true;
    }
    const auto what =
        attempt.stage == Stage::writing ? net::FdWatch::For::writing : net::FdWatch::For::reading;
    attempt.watch.emplace(
        loop_, attempt.fd.fd(), [this, ticket] { proceed(ticket); }, what);
    return attempt.watch->resume();
}

void Courier::proceed(std::uint64_t ticket) noexcept {
    const auto found = attempts_.find(ticket);
    if (found == attempts_.end()) return;
    Attempt& attempt = *found->second;
    const Stage before = attempt.stage;
    if (const auto outcome = advance(attempt)) return finish(ticket, *outcome);
    if (attempt.stage == before) return;
    if (!watch(ticket, attempt)) return finish(ticket, failed("out of memory"));
    armTimer();
}

// --- ending

void Courier::forget(Attempts::iterator attempt) {
    deadlines_.erase({attempt->second->deadline, attempt->first});
    attempts_.erase(attempt);
}

void Courier::finish(std::uint64_t ticket, const End& end) {
    forget(attempts_.find(ticket));
    onEnd_(ticket, end);
}

void Courier::drop(std::uint64_t ticket) {
    if (const auto found = attempts_.find(ticket); found != attempts_.end()) forget(found);
    std::erase_if(ended_, [ticket](const auto& one) { return one.first == ticket; });
}

void Courier::dropAll() {
    attempts_.clear();
    deadlines_.clear();
    ended_.clear();
    fresh_.clear();
}

// A timer that goes off too early costs a look; so it is started anew only for what is due before.
void Courier::armTimer() {
    const SteadyTime now = clock_.steady();
    std::optional<SteadyTime> at;
    if (!deadlines_.empty()) at = deadlines_.begin()->first;
    if (!unacknowledged_.empty()) at = std::min(at.value_or(SteadyTime::max()), now + lookAgainAfter);
    if (!at || (timerAt_ && *timerAt_ <= *at)) return;
    timerAt_ = at;
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*at - now);
    timer_.startOnce(std::max(wait, std::chrono::milliseconds{1}));
}

void Courier::onTime() noexcept {
    timerAt_.reset();
    for (const std::uint64_t ticket : std::exchange(unacknowledged_, {})) {
        const auto found = attempts_.find(ticket);
        if (found == attempts_.end()) continue;
        if (const auto outcome = acknowledged(*found->second)) {
            finish(ticket, *outcome);
        } else {
            unacknowledged_.push_back(ticket);
        }
    }
    const SteadyTime now = clock_.steady();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        const std::uint64_t ticket = deadlines_.begin()->second;
        finish(ticket, failed(lateness(*attempts_.at(ticket))));
    }
    armTimer();
}

std::string Courier::lateness(const Attempt& attempt) {
    const std::string after = "timed out after " + std::to_string(attempt.timeout.count()) + " ms: ";
    if (attempt.stage != Stage::writing) return after + "the client has not closed its side";
    return after + (attempt.written == 0 ? "the connection was not answered" : "the client does not read");
}

}  // namespace crnpd::delivery
