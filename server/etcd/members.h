// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The members of etcd that we know of: a connection to each, and which one is asked next.
//
// Promise    A member that does not answer is left for the next one. One that returns is used within a second
//            of being asked. Connections are made when they are first needed.
// Threads    Any.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <etcd.grpc.pb.h>
#include <grpcpp/channel.h>

#include "server/etcd/endpoint.h"

namespace crnpd::etcd {

struct Member {
    std::string name;  // its endpoint, for people
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<etcdserverpb::KV::Stub> keyValue;
    std::unique_ptr<etcdserverpb::Lease::Stub> lease;
    std::unique_ptr<etcdserverpb::Watch::Stub> watch;
    std::unique_ptr<etcdserverpb::Maintenance::Stub> maintenance;
    std::unique_ptr<etcdserverpb::Auth::Stub> auth;
};

class Members {
public:
    // At least one endpoint.
    Members(const std::vector<Endpoint>& endpoints, const Tls& tls, std::chrono::milliseconds attemptTime);

    [[nodiscard]] std::size_t current() const noexcept { return current_; }
    [[nodiscard]] Member& operator[](std::size_t index) { return members_[index]; }
    // `from` did not answer. If several callers say so of one member at once, it is left once.
    void leave(std::size_t from) noexcept;

private:
    std::vector<Member> members_;
    std::atomic<std::size_t> current_ = 0;
};

}  // namespace crnpd::etcd
