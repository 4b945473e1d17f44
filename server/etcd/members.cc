// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/members.h"

#include <cstdlib>

#include <grpc/support/log.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

namespace crnpd::etcd {
namespace {

grpc::ChannelArguments argumentsFor(std::chrono::milliseconds attemptTime) {
    const int attempt = static_cast<int>(attemptTime.count());
    grpc::ChannelArguments arguments;
    // A member that returns is to be used at once; by default gRPC waits up to two minutes.
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    // Despite its name the time that one attempt to connect may take.
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, attempt);
    // A connection that was lost is made again when the name has been looked up again; by default that is
    // allowed every 30 s only, for plain addresses too.
    arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 100);
    // etcd closes connections that ping more often than every 5 s, or without a call. The time-out also
    // becomes TCP_USER_TIMEOUT, so what is sent to a dead peer is noticed as soon.
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 2'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
    // Otherwise a watch on which nothing happens is pinged twice and never again.
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    // A page of rows, and all events of one revision, come in one message.
    arguments.SetMaxReceiveMessageSize(-1);
    // The cluster's own members are never behind a web proxy, whatever http_proxy says.
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
    // Connections and their pauses are this client's own.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return arguments;
}

std::shared_ptr<grpc::ChannelCredentials> credentialsFor(const Endpoint& endpoint, const Tls& tls) {
    if (!endpoint.isSecure) return grpc::InsecureChannelCredentials();
    return grpc::SslCredentials({tls.ca, tls.key, tls.certificate});
}

// Every failure reaches us as the status of a call, with what it means; gRPC would write it to standard error
// as well, past our log. Whoever debugs sets GRPC_VERBOSITY.
void silenceTheLibrary() {
    if (std::getenv("GRPC_VERBOSITY") == nullptr)
        gpr_set_log_verbosity(static_cast<gpr_log_severity>(GPR_LOG_SEVERITY_ERROR + 1));
}

}  // namespace

Members::Members(const std::vector<Endpoint>& endpoints, const Tls& tls,
                 std::chrono::milliseconds attemptTime) {
    silenceTheLibrary();
    members_.reserve(endpoints.size());
    for (const auto& endpoint : endpoints) {
        auto channel = grpc::CreateCustomChannel(endpoint.target, credentialsFor(endpoint, tls),
                                                 argumentsFor(attemptTime));
        members_.push_back({endpoint.target, channel, etcdserverpb::KV::NewStub(channel),
                            etcdserverpb::Lease::NewStub(channel), etcdserverpb::Watch::NewStub(channel),
                            etcdserverpb::Maintenance::NewStub(channel),
                            etcdserverpb::Auth::NewStub(channel)});
    }
}

void Members::leave(std::size_t from) noexcept {
    current_.compare_exchange_strong(from, (from + 1) % members_.size());
}

}  // namespace crnpd::etcd
