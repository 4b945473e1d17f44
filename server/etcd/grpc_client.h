// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// etcd by gRPC: transactions, leases, watches.
//
// Promise    As key_value.h and leases.h. Each call is one attempt at one member and takes attemptTime at
//            most; after an attempt that was not answered the next one goes to the next member. That the
//            database is full etcd also says of transactions that it has carried out, so this is looked
//            into: noSpace means that it was not.
// Threads    Any, at the same time.
// Errors     Their texts name the member and what to do.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/etcd/endpoint.h"
#include "server/etcd/key_value.h"
#include "server/etcd/leases.h"

namespace grpc {
class ClientContext;
class Status;
}  // namespace grpc

namespace crnpd::etcd {

struct Member;
class Members;

class GrpcClient final : public KeyValue, public Leases, public Watches {
public:
    struct Options {
        std::vector<std::string> endpoints;  // as parseEndpoint() reads them
        std::chrono::milliseconds attemptTime{1000};
        Tls tls;
        std::string username;  // empty: etcd asks for none
        std::string password;
    };

    // What a member says of itself.
    struct MemberStatus {
        std::string member;   // its endpoint
        std::string version;  // etcd's
        bool knowsLeader = false;
        std::vector<std::string> errors;  // its alarms, "NOSPACE"
    };

    // invalidArgument: no endpoint, or one that is none. Connects to nobody yet.
    [[nodiscard]] static Result<std::unique_ptr<GrpcClient>> create(Options options);
    ~GrpcClient() override;

    [[nodiscard]] Result<TransactionAnswer> transact(const Transaction& transaction) noexcept override;
    [[nodiscard]] Result<Page> read(const std::string& prefix, const std::string& after, Revision at,
                                    std::size_t limit) noexcept override;

    [[nodiscard]] Result<LeaseId> grant(std::chrono::seconds time) noexcept override;
    [[nodiscard]] Result<void> keepAlive(LeaseId lease) noexcept override;
    [[nodiscard]] Result<void> revoke(LeaseId lease) noexcept override;

    // Notices within three attempt times that the member has gone or knows no leader.
    [[nodiscard]] Result<void> follow(const std::string& prefix, Revision from, const OnEvents& onEvents,
                                      std::stop_token stop) noexcept override;

    [[nodiscard]] Result<MemberStatus> status() noexcept;

private:
    using Call = std::function<grpc::Status(Member& member, grpc::ClientContext& context)>;
    using Deadline = std::chrono::system_clock::time_point;  // gRPC's

    GrpcClient(Options options, const std::vector<Endpoint>& endpoints);

    // One call to `member`, with our token, which is asked for where we have none or it is out of date.
    [[nodiscard]] grpc::Status callWithToken(Member& member, Deadline deadline, const Call& call);
    [[nodiscard]] grpc::Status authenticate(Member& member, Deadline deadline, std::string& token);
    void forget(const std::string& token);
    // One attempt; leaves the member if it did not answer.
    [[nodiscard]] Result<void> attempt(const Call& call);
    [[nodiscard]] Error failed(std::size_t index, const grpc::Status& status);
    // After etcd said that it is full: what became of `transaction`.
    [[nodiscard]] Result<TransactionAnswer> lookInto(const Transaction& transaction, Member& member,
                                                     Deadline deadline, Error noSpace);

    const Options options_;
    std::unique_ptr<Members> members_;
    std::mutex mutex_;
    std::string token_;  // guarded by mutex_
};

}  // namespace crnpd::etcd
