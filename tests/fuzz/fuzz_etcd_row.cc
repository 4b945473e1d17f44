// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What stands in etcd: arbitrary keys and values never crash the decoders, and what they take is what the
// encoders write, so that a damaged row is never taken for another one. Input: a key below the clients, a
// newline, a value; the value is also tried as a head, a leader and a format.
#include "server/etcd/keys.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace crnpd;

void row(const etcd::Keys& keys, const std::string& key, std::string_view value) {
    const auto change = etcd::decodeRow(keys, key, value);
    if (!change) return;
    // An address of ours on an interface that this machine does not have is not kept.
    const bool isLost = value.find('%') != std::string_view::npos;
    fuzz::require(isLost || etcd::encodeRow(*change) == value, "a decoded row is encoded the same");
    const auto client = std::visit([](const auto& record) { return record.client; }, *change);
    fuzz::require(client.ip.scope() != 0 || keys.client(client) == key,
                  "a client's key is the one of its row");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const etcd::Keys keys("/crnpd");
    const auto text = fuzz::textOf(data, size);
    const auto newline = text.find('\n');
    const auto value = newline == std::string_view::npos ? text : text.substr(newline + 1);
    row(keys, keys.clients() + std::string(text.substr(0, newline)), value);

    const auto head = etcd::decodeHead(value);
    fuzz::require(!head || etcd::encodeHead(*head) == value, "a decoded head is encoded the same");
    const auto leader = etcd::decodeLeader(value);
    fuzz::require(!leader || etcd::encodeLeader(*leader) == value, "a decoded leader is encoded the same");
    fuzz::require(
        !etcd::checkFormat(value) || value == etcd::formatText() || value == "crnpd registrations, format 1",
        "only our formats are ours");
    return 0;
}
