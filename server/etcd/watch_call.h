// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// One watch on one member, from its beginning to its end.
//
// Promise    As Watches::follow(). A member that says nothing for three times attemptTime, although it is
//            asked to, counts as gone; so does one that has lost its leader, because it would not learn of
//            changes.
// Threads    run() blocks its caller, who is also called back; once for each object.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include <etcd.grpc.pb.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>

#include "server/etcd/leases.h"
#include "server/etcd/members.h"

namespace crnpd::etcd {

class WatchCall {
public:
    WatchCall(Member& member, const std::string& token, std::chrono::milliseconds attemptTime);
    ~WatchCall();
    WatchCall(const WatchCall&) = delete;
    WatchCall& operator=(const WatchCall&) = delete;

    [[nodiscard]] Result<void> run(const std::string& prefix, Revision from,
                                   const Watches::OnEvents& onEvents, const std::stop_token& stop);

private:
    using Clock = std::chrono::steady_clock;
    // What was begun and comes back from the queue.
    enum class Step { start, write, read, finish };
    using Verdict = std::optional<Result<void>>;

    // What gRPC carries along with a step and hands back.
    [[nodiscard]] void* tagOf(Step step) noexcept { return &tags_[static_cast<std::size_t>(step)]; }
    void begin(Step step);
    // Waits for a step to be done, a little while at most.
    [[nodiscard]] Verdict next(const Watches::OnEvents& onEvents);
    [[nodiscard]] Verdict onDone(Step step, const Watches::OnEvents& onEvents);
    [[nodiscard]] Verdict onResponse(const Watches::OnEvents& onEvents);
    [[nodiscard]] Verdict onNothing();
    void send(const etcdserverpb::WatchRequest& request);
    // Cancels, waits for everything that was begun, and tells how the stream ended.
    [[nodiscard]] grpc::Status end();

    Member& member_;
    const std::chrono::milliseconds attemptTime_;
    grpc::ClientContext context_;
    grpc::CompletionQueue queue_;
    std::unique_ptr<grpc::ClientAsyncReaderWriter<etcdserverpb::WatchRequest, etcdserverpb::WatchResponse>>
        stream_;
    etcdserverpb::WatchRequest creation_;
    etcdserverpb::WatchResponse response_;
    std::array<Step, 4> tags_{Step::start, Step::write, Step::read, Step::finish};
    int begun_ = 0;  // steps that have not come back
    bool isStarted_ = false;
    bool isWriting_ = false;
    bool isBroken_ = false;  // the stream has ended; its status tells why
    Clock::time_point heard_ = Clock::now();
};

}  // namespace crnpd::etcd
