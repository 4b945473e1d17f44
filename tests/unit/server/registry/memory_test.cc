// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What a client takes of memory: a million of them must fit into a small server.
#include <cstdio>

#include <gtest/gtest.h>
#include <malloc.h>

#include "server/registry/registry.h"

namespace crnpd::registry {
namespace {

// Sanitizers have an allocator of their own.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

constexpr std::uint32_t clients = 200'000;
constexpr std::size_t textLength = 63;

std::size_t inUse() {
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
}

Snapshot manyClients() {
    Snapshot rows;
    for (std::uint32_t i = 0; i < clients; ++i) {
        const auto client = IpAddress::from(in_addr{htonl(0x0A000000U + i)});
        const auto via = IpAddress::from(in_addr{htonl(0xC0000201U + i % 2)});
        rows.clients.push_back({i + 1, {client, 2001}, std::string(textLength, 'x'), via, i, i});
    }
    return rows;
}

TEST(RegistryMemory, AClientTakesFewBytesBesidesTheTextOfItsRegistrations) {
    const auto before = inUse();
    Registry registry{{}};
    registry.load(manyClients());
    const auto each = (inUse() - before) / clients - (textLength + 1);
    std::printf("%zu bytes a client besides the text\n", each);
    EXPECT_LE(each, 145U);
    EXPECT_EQ(registry.clients(), clients);
}

#endif

}  // namespace
}  // namespace crnpd::registry
