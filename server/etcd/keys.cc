// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/keys.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <chrono>
#include <limits>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <xxhash.h>

#include "common/event_codec.h"
#include "common/registration_codec.h"

namespace crnpd::etcd {
namespace {

constexpr std::string_view formatBegin = "crnpd registrations, format ";
constexpr std::uint64_t formatVersion = 2;

Error damaged(std::string text) {
    return {ErrorCode::damaged, std::move(text)};
}

// Takes a text apart from the front, exactly as it was written: no sign, no leading zero, no other spacing.
// After a part that did not fit, every further one is refused.
class Parts {
public:
    explicit Parts(std::string_view text) : rest_(text) {}

    bool literal(std::string_view text) {
        fits_ = fits_ && rest_.starts_with(text);
        if (fits_) rest_.remove_prefix(text.size());
        return fits_;
    }
    template <typename Number>
    bool number(Number& out) {
        const bool negative = rest_.starts_with('-');
        const auto digits = rest_.substr(negative ? 1 : 0);
        const bool odd = digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9';
        return read(out, 10) && (fits_ = !odd && !(negative && out == 0));
    }
    bool hex(std::uint64_t& out) {
        const auto before = rest_;
        if (!read(out, 16)) return false;
        const auto digits = before.substr(0, before.size() - rest_.size());
        return fits_ = digits.size() == 16 &&
                       std::ranges::none_of(digits, [](char c) { return c >= 'A' && c <= 'F'; });
    }
    [[nodiscard]] bool fits() const { return fits_; }
    [[nodiscard]] bool atEnd() const { return fits_ && rest_.empty(); }
    [[nodiscard]] std::string_view rest() const { return rest_; }

private:
    template <typename Number>
    bool read(Number& out, int base) {
        if (!fits_) return false;
        const auto* end = rest_.data() + rest_.size();
        const auto [stop, error] = std::from_chars(rest_.data(), end, out, base);
        fits_ = error == std::errc{};
        if (fits_) rest_.remove_prefix(static_cast<std::size_t>(stop - rest_.data()));
        return fits_;
    }

    std::string_view rest_;
    bool fits_ = true;
};

bool mayBeInterface(std::string_view name) {
    return !name.empty() && name.size() < IF_NAMESIZE &&
           std::ranges::all_of(name, [](char c) { return c > ' ' && c != '/' && c != '%' && c != '\x7f'; });
}

// With a scope that no interface has (they are positive ints) and that differs from every other such row's.
IpAddress withLostInterface(const IpAddress& bare, RecordId id) {
    constexpr std::uint32_t beyondInterfaces = 0x80000000U;
    in6_addr address{};
    std::ranges::copy(bare.bytes(), std::begin(address.s6_addr));
    return IpAddress::from(address, beyondInterfaces | static_cast<std::uint32_t>(id & 0x7fffffffU));
}

std::optional<IpAddress> readIp(std::string_view text, RecordId id) {
    const auto percent = text.find('%');
    const auto bareText = text.substr(0, percent);
    const auto bare = IpAddress::parse(bareText);
    if (!bare || bare->text() != bareText) return std::nullopt;
    if (percent == std::string_view::npos) return *bare;
    const auto interface = text.substr(percent + 1);
    if (!bare->isLinkLocal() || !mayBeInterface(interface)) return std::nullopt;
    const auto known = IpAddress::parse(text);
    return known ? *known : withLostInterface(*bare, id);
}

// "192.0.2.1/2001"
std::optional<CallbackAddress> readAddress(std::string_view text, RecordId id) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    Parts behind(text.substr(slash + 1));
    std::uint16_t port = 0;
    if (!behind.number(port) || !behind.atEnd() || port == 0) return std::nullopt;
    const auto ip = readIp(text.substr(0, slash), id);
    if (!ip) return std::nullopt;
    return CallbackAddress{*ip, port};
}

// "via 192.0.2.7 joined 5 added 8 ". An interface that this node does not have takes the address with it.
bool readDelivery(Parts& parts, ClientRecord& client) {
    parts.literal("via ");
    const auto ip = parts.rest().substr(0, parts.rest().find(' '));
    const auto via = readIp(ip, client.id);
    if (!via || !parts.literal(ip)) return false;
    constexpr std::uint32_t beyondInterfaces = 0x80000000U;
    if (via->scope() < beyondInterfaces) client.via = *via;
    const bool fits = parts.literal(" joined ") && parts.number(client.joined) && parts.literal(" added ") &&
                      parts.number(client.added) && parts.literal(" ");
    // One that has nothing of this is written without it.
    return fits && (*via != IpAddress{} || client.joined != 0 || client.added != 0);
}

// Terms ascend, and batches do not go back.
bool inOrder(const Head& head) {
    Reign last;
    for (const auto& reign : head.earlier) {
        if (reign.term <= last.term || reign.after < last.after) return false;
        last = reign;
    }
    return head.term > last.term && head.after >= last.after && head.batch >= head.after &&
           head.earlier.size() <= Head::mostEarlier;
}

}  // namespace

std::string Keys::client(const CallbackAddress& address) const {
    return fmt::format("{}{}/{}", clients(), address.ip.namedText(), address.port);
}

std::string Keys::clientByNumber(const CallbackAddress& address) const {
    return fmt::format("{}{}/{}", clients(), address.ip.text(), address.port);
}

std::string Keys::event(Sequence sequence) const {
    return fmt::format("{}{:020}", events(), sequence);
}

void Sum::add(std::uint64_t digest) noexcept {
    ++rows;
    digests += digest;
}

void Sum::take(std::uint64_t digest) noexcept {
    --rows;
    digests -= digest;
}

std::uint64_t digestOf(std::string_view key, std::string_view value) {
    fmt::memory_buffer text;
    fmt::format_to(std::back_inserter(text), "{}:{}{}:", key.size(), key, value.size());
    text.append(value);
    return XXH3_64bits(text.data(), text.size());
}

Head succeeded(const Head& head, store::Term term) {
    auto next = head;
    next.earlier.push_back({head.term, head.after});
    if (next.earlier.size() > Head::mostEarlier) next.earlier.erase(next.earlier.begin());
    next.term = term;
    next.after = head.batch;
    return next;
}

std::optional<bool> holds(const Head& head, store::Term term, BatchId batch) {
    if (head.term == term) return head.batch >= batch;
    const auto next =
        std::ranges::find_if(head.earlier, [=](const Reign& reign) { return reign.term > term; });
    const auto after = next == head.earlier.end() ? head.after : next->after;
    // Batches do not go back, so what a later term was the first to reach nobody had reached before.
    if (after < batch) return false;
    const bool followsUs = next != head.earlier.begin() && std::prev(next)->term == term;
    return followsUs ? std::optional(true) : std::nullopt;
}

std::string encodeHead(const Head& head) {
    auto text = fmt::format("term {} batch {} rows {} digests {:016x}", head.term, head.batch, head.sum.rows,
                            head.sum.digests);
    if (head.last > 0) fmt::format_to(std::back_inserter(text), " last {}", head.last);
    fmt::format_to(std::back_inserter(text), " after {}", head.after);
    for (const auto& reign : head.earlier)
        fmt::format_to(std::back_inserter(text), ", term {} after {}", reign.term, reign.after);
    if (head.isFilling) text += ", filling";
    return text;
}

Result<Head> decodeHead(std::string_view text) {
    Head head;
    Parts parts(text);
    parts.literal("term ") && parts.number(head.term) && parts.literal(" batch ") &&
        parts.number(head.batch) && parts.literal(" rows ") && parts.number(head.sum.rows) &&
        parts.literal(" digests ") && parts.hex(head.sum.digests);
    const bool hasLast = parts.fits() && parts.rest().starts_with(" last ");
    if (hasLast) parts.literal(" last ") && parts.number(head.last);
    parts.literal(" after ") && parts.number(head.after);
    while (parts.fits() && parts.rest().starts_with(", term ")) {
        auto& reign = head.earlier.emplace_back();
        parts.literal(", term ") && parts.number(reign.term) && parts.literal(" after ") &&
            parts.number(reign.after);
    }
    if (parts.fits() && !parts.atEnd()) head.isFilling = parts.literal(", filling");
    if (!parts.atEnd() || hasLast != (head.last > 0) || !inOrder(head))
        return damaged("it is none that crnpd wrote: " + std::string(text));
    return head;
}

std::string formatText() {
    return fmt::format("{}{}", formatBegin, formatVersion);
}

Result<void> checkFormat(std::string_view text) {
    Parts parts(text);
    std::uint64_t version = 0;
    if (!parts.literal(formatBegin) || !parts.number(version) || !parts.atEnd() || version == 0) {
        return damaged("the text there is none that crnpd wrote: " + std::string(text));
    }
    if (version <= formatVersion) return {};
    return Error{
        ErrorCode::foreign,
        fmt::format("the registrations have format {}, this server knows format {}: use a newer crnpd",
                    version, formatVersion)};
}

std::string encodeRow(const Change& change) {
    if (const auto* client = std::get_if<ClientRecord>(&change)) {
        const bool isPlain = client->via == IpAddress{} && client->joined == 0 && client->added == 0;
        return isPlain ? fmt::format("registered {} {}", client->id, client->registrations)
                       : fmt::format("registered {} via {} joined {} added {} {}", client->id,
                                     client->via.namedText(), client->joined, client->added,
                                     client->registrations);
    }
    assert(std::holds_alternative<RemovalRecord>(change));
    const auto& removal = std::get<RemovalRecord>(change);
    return fmt::format("removed {} {}", removal.id, removal.removedAt.time_since_epoch().count());
}

Result<Change> decodeRow(const Keys& keys, std::string_view key, std::string_view value) {
    const auto wrong = [key](std::string_view why) {
        return damaged(fmt::format("the row {} is damaged: {}", key, why));
    };
    Parts parts(value);
    RecordId id = 0;
    const bool isClient = value.starts_with("registered ");
    if (!parts.literal(isClient ? "registered " : "removed ") || !parts.number(id) || !parts.literal(" ") ||
        id == 0) {
        return wrong("it is neither a client nor a removal");
    }
    const auto below = keys.clients();
    const auto address =
        key.starts_with(below) ? readAddress(key.substr(below.size()), id) : std::optional<CallbackAddress>{};
    if (!address) return wrong("its key names no client");
    if (isClient) {
        ClientRecord client{.id = id, .client = *address, .registrations = {}};
        if (parts.rest().starts_with("via ") && !readDelivery(parts, client))
            return wrong("it does not say where its client spoke to, and when");
        if (!isRegistrationRecord(parts.rest())) return wrong("it holds no record of registrations");
        client.registrations = parts.rest();
        return Change{std::move(client)};
    }
    std::int64_t at = 0;
    if (!parts.number(at) || !parts.atEnd()) return wrong("it holds no time of removal");
    return Change{RemovalRecord{id, *address, WallTime(std::chrono::milliseconds(at))}};
}

Result<EventRecord> decodeEventRow(const Keys& keys, std::string_view key, std::string_view value) {
    constexpr std::size_t digits = 20;
    const auto below = keys.events();
    const auto text = key.starts_with(below) ? key.substr(below.size()) : std::string_view{};
    Sequence sequence = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), sequence);
    if (text.size() != digits || error != std::errc{} || stop != text.data() + text.size() || sequence == 0)
        return damaged(fmt::format("the row {} is damaged: its key names no event", key));
    if (!decodeEvent(value)) return damaged(fmt::format("the row {} is damaged: it holds no event", key));
    return EventRecord{sequence, std::string(value)};
}

std::string encodeLeader(const Leader& leader) {
    auto text = leader.name + '\n' + leader.address;
    const auto isControl = [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; };
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (i != leader.name.size() && isControl(text[i])) text[i] = ' ';
    }
    return text;
}

Result<Leader> decodeLeader(std::string_view text) {
    const auto newline = text.find('\n');
    if (newline == std::string_view::npos) return damaged("the leader's row is none that crnpd wrote");
    Leader leader{std::string(text.substr(0, newline)), std::string(text.substr(newline + 1))};
    if (encodeLeader(leader) != text) return damaged("the leader's row is none that crnpd wrote");
    return leader;
}

}  // namespace crnpd::etcd
