// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The subnets this machine is directly connected to: what LOCAL means in allow_hosts and deny_hosts
// (section 8 of docs/protocol.md).
//
// Threads    localNetworks() any; the watcher its loop's.
#pragma once

#include <functional>
#include <vector>

#include "common/address.h"
#include "common/unique_fd.h"
#include "server/net/loop.h"

namespace crnpd::net {

// As of now; the loopback networks are among them. Sorted by text. Empty when the system does not tell.
[[nodiscard]] std::vector<Network> localNetworks();

// Calls back whenever an interface gets or loses an address, so that LOCAL stays true while a floating
// address moves. Where the kernel refuses the notification (no netlink), LOCAL stays as at the start and
// the log says so.
class LocalNetworksWatch {
public:
    LocalNetworksWatch(Loop& loop, std::function<void(std::vector<Network>)> onChange);

private:
    void readNotifications();

    std::function<void(std::vector<Network>)> onChange_;
    UniqueFd netlink_;
    std::vector<Network> last_;
    std::unique_ptr<FdWatch> watch_;
};

}  // namespace crnpd::net
