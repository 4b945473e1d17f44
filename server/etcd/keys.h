// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What is kept under which key (docs/store-format.md, "In etcd"), and how a value reads.
//
//     <prefix>/format                    "crnpd registrations, format 2"
//     <prefix>/leader                    who leads, under its lease; the revision of its creation is the term
//     <prefix>/head                      the last batch: its number, who wrote it, the sum of all rows, the
//     last number <prefix>/client/<ip>/<port>        a client or the memory of its removal
//     <prefix>/event/<number>            an event that somebody may still need; 20 digits, so that they sort
//     <prefix>/mark                      how far the delivery is
//     <prefix>/posted/<id>               an event from a standby, on its way (posting.h); not part of the sum
//
// A client's row, an event's, the mark's and the head read in format 2 as they did in format 1, with more in
// them only where there is more to say: so a prefix of format 1 is one of format 2 once <prefix>/format says
// so, whatever rows it has.
//
// Threads    Free functions and values.
// Errors     damaged: the text cannot be one that we wrote. foreign: a newer format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/record.h"
#include "common/result.h"
#include "server/store/election.h"

namespace crnpd::etcd {

class Keys {
public:
    // Without a slash at its end.
    explicit Keys(std::string prefix) : prefix_(std::move(prefix)) {}

    [[nodiscard]] const std::string& prefix() const noexcept { return prefix_; }
    [[nodiscard]] std::string format() const { return prefix_ + "/format"; }
    [[nodiscard]] std::string leader() const { return prefix_ + "/leader"; }
    [[nodiscard]] std::string head() const { return prefix_ + "/head"; }
    // Everything that begins with it is a client's row.
    [[nodiscard]] std::string clients() const { return prefix_ + "/client/"; }
    // Everything that begins with it is an event's row.
    [[nodiscard]] std::string events() const { return prefix_ + "/event/"; }
    [[nodiscard]] std::string event(Sequence sequence) const;
    [[nodiscard]] std::string mark() const { return prefix_ + "/mark"; }
    [[nodiscard]] std::string posts() const { return prefix_ + "/posted/"; }
    [[nodiscard]] std::string post(const std::string& id) const { return posts() + id; }
    // The interface of a link-local address is written by its name, because its number means nothing on
    // another node.
    [[nodiscard]] std::string client(const CallbackAddress& address) const;
    // The same where a name is of no use.
    [[nodiscard]] std::string clientByNumber(const CallbackAddress& address) const;

    friend bool operator==(const Keys&, const Keys&) = default;

private:
    std::string prefix_;
};

// How many rows there are, and a number that changes with any of them. Rows come and go in any order, so it
// is a sum and each row's part can be taken out again.
struct Sum {
    std::uint64_t rows = 0;
    std::uint64_t digests = 0;  // of all rows, added up modulo 2^64

    void add(std::uint64_t digest) noexcept;
    void take(std::uint64_t digest) noexcept;

    friend bool operator==(const Sum&, const Sum&) = default;
};

// One row's part of the sum: of its key and its value, so that two rows that changed places show. It is
// XXH3 (64 bits) of the two, each behind its length: what `printf '%s' '3:key5:value' | xxhsum -H3` prints.
[[nodiscard]] std::uint64_t digestOf(std::string_view key, std::string_view value);

// A term that wrote, and the last batch before it.
struct Reign {
    store::Term term = 0;
    BatchId after = 0;

    friend bool operator==(const Reign&, const Reign&) = default;
};

struct Head {
    static constexpr std::size_t mostEarlier = 7;

    store::Term term = 0;
    BatchId batch = 0;
    Sum sum;
    // A restore was begun and not finished: the rows that are there are no state, load() clears them away.
    bool isFilling = false;
    // The last batch before this term, and the same of the terms before it, the oldest first, the last few.
    // So a server that was cut off can tell, whoever leads by then, whether its last batch came in time.
    BatchId after = 0;
    std::vector<Reign> earlier;
    Sequence last = 0;  // the greatest number that any committed change ever had

    friend bool operator==(const Head&, const Head&) = default;
};

// What `term`, which must be later than the head's, puts in the place of `head` when it begins.
[[nodiscard]] Head succeeded(const Head& head, store::Term term);

// Whether `batch` of `term` is among what led to `head`; nothing where that is not known any more. `head`
// must be of that term or a later one, and `term` must have begun.
[[nodiscard]] std::optional<bool> holds(const Head& head, store::Term term, BatchId batch);

[[nodiscard]] std::string encodeHead(const Head& head);
[[nodiscard]] Result<Head> decodeHead(std::string_view text);

[[nodiscard]] std::string formatText();
[[nodiscard]] Result<void> checkFormat(std::string_view text);

// A client's or a removal's row. `key` must be below keys.clients(). A client whose interface this node does
// not have keeps a scope that no interface has, made of its id: keys.client() does not lead back to its row.
[[nodiscard]] std::string encodeRow(const Change& change);
[[nodiscard]] Result<Change> decodeRow(const Keys& keys, std::string_view key, std::string_view value);

// An event's row. `key` must be below keys.events().
[[nodiscard]] Result<EventRecord> decodeEventRow(const Keys& keys, std::string_view key,
                                                 std::string_view value);

// Who leads, for people and for whoever may revoke its lease.
struct Leader {
    std::string name;     // "process 4711 on node1"
    std::string address;  // what it listens on, as configured; may be empty

    friend bool operator==(const Leader&, const Leader&) = default;
};
[[nodiscard]] std::string encodeLeader(const Leader& leader);
[[nodiscard]] Result<Leader> decodeLeader(std::string_view text);

}  // namespace crnpd::etcd
