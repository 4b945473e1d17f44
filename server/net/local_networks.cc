// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/net/local_networks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "common/messages.h"

namespace crnpd::net {
namespace {

unsigned maskLength(const sockaddr& mask, int family) {
    const auto* const bytes =
        family == AF_INET
            ? reinterpret_cast<const unsigned char*>(&reinterpret_cast<const sockaddr_in&>(mask).sin_addr)
            : reinterpret_cast<const unsigned char*>(&reinterpret_cast<const sockaddr_in6&>(mask).sin6_addr);
    unsigned length = 0;
    for (std::size_t i = 0; i < (family == AF_INET ? 4U : 16U); ++i)
        length += static_cast<unsigned>(std::popcount(bytes[i]));
    return length;
}

IpAddress addressOf(const sockaddr& address) {
    sockaddr_storage storage{};
    std::memcpy(&storage, &address,
                address.sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    return SocketAddress::from(storage).ip;
}

UniqueFd openNetlink() {
    UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!fd) return fd;
    sockaddr_nl name{};
    name.nl_family = AF_NETLINK;
    name.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_LINK;
    if (::bind(fd.fd(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return UniqueFd{};
    return fd;
}

}  // namespace

std::vector<Network> localNetworks() {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return {};
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);

    std::vector<Network> networks;
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr || entry->ifa_netmask == nullptr || (entry->ifa_flags & IFF_UP) == 0)
            continue;
        const int family = entry->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6) continue;
        networks.push_back(
            Network::around(addressOf(*entry->ifa_addr), maskLength(*entry->ifa_netmask, family)));
    }
    const auto text = [](const Network& network) { return network.text(); };
    std::ranges::sort(networks, {}, text);
    networks.erase(std::unique(networks.begin(), networks.end()), networks.end());
    return networks;
}

LocalNetworksWatch::LocalNetworksWatch(Loop& loop, std::function<void(std::vector<Network>)> onChange)
    : onChange_(std::move(onChange)), netlink_(openNetlink()), last_(localNetworks()) {
    if (!netlink_) {
        log(msg::localNotWatched, std::strerror(errno));
        return;
    }
    watch_ = std::make_unique<FdWatch>(loop, netlink_.fd(), [this] { readNotifications(); });
    if (!watch_->resume()) log(msg::localNotWatched, "out of memory");
}

void LocalNetworksWatch::readNotifications() {
    // What changed does not matter, nor that some notifications may have been lost (ENOBUFS): we look afresh.
    std::array<char, 8192> ignored{};
    while (::recv(netlink_.fd(), ignored.data(), ignored.size(), 0) > 0 || errno == ENOBUFS) {
    }
    auto now = localNetworks();
    if (now == last_) return;
    last_ = now;
    onChange_(std::move(now));
}

}  // namespace crnpd::net
