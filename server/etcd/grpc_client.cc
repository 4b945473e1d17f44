// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/grpc_client.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include "server/etcd/members.h"
#include "server/etcd/watch_call.h"
#include "server/etcd/wire.h"

namespace crnpd::etcd {
namespace {

// Whatever gRPC throws (memory that ran out) comes at a moment that we do not know.
template <typename T>
Result<T> guarded(const std::function<Result<T>()>& body) noexcept {
    try {
        return body();
    } catch (const std::exception& fault) {
        return Error{ErrorCode::busy, fmt::format("the call to etcd broke off: {}", fault.what())};
    }
}

// Whether `transaction`, once carried out, can be told from what it has changed: it changes a key that is
// among its own conditions.
bool leavesTraces(const Transaction& transaction) {
    return std::any_of(transaction.then.begin(), transaction.then.end(), [&](const Operation& operation) {
        const std::string* changed = nullptr;
        if (const auto* put = std::get_if<Put>(&operation)) changed = &put->key;
        if (const auto* del = std::get_if<Delete>(&operation)) changed = &del->key;
        return changed != nullptr &&
               std::any_of(transaction.conditions.begin(), transaction.conditions.end(),
                           [&](const Condition& condition) { return condition.key == *changed; });
    });
}

}  // namespace

Result<std::unique_ptr<GrpcClient>> GrpcClient::create(Options options) {
    if (options.endpoints.empty())
        return Error{ErrorCode::invalidArgument, "no endpoint of etcd is given (store.etcd.endpoints)"};
    std::vector<Endpoint> endpoints;
    for (const auto& text : options.endpoints) {
        auto endpoint = parseEndpoint(text, options.tls.isWanted());
        if (!endpoint) return endpoint.error();
        endpoints.push_back(std::move(*endpoint));
    }
    return std::unique_ptr<GrpcClient>(new GrpcClient(std::move(options), endpoints));
}

GrpcClient::GrpcClient(Options options, const std::vector<Endpoint>& endpoints)
    : options_(std::move(options)),
      members_(std::make_unique<Members>(endpoints, options_.tls, options_.attemptTime)) {}

GrpcClient::~GrpcClient() = default;

// --- one attempt ----------------------------------------------------------------------------------------

Result<void> GrpcClient::attempt(const Call& call) {
    const auto index = members_->current();
    const auto deadline = std::chrono::system_clock::now() + options_.attemptTime;
    const auto status = callWithToken((*members_)[index], deadline, call);
    if (status.ok()) return {};
    return failed(index, status);
}

Error GrpcClient::failed(std::size_t index, const grpc::Status& status) {
    auto error = wire::meaningOf(status, (*members_)[index].name);
    if (error.code == ErrorCode::busy || wire::saysTooManyRequests(status)) members_->leave(index);
    return error;
}

// Asking twice within one attempt is no second copy: a token that is refused is refused before anything else.
grpc::Status GrpcClient::callWithToken(Member& member, Deadline deadline, const Call& call) {
    for (bool isSecond = false;; isSecond = true) {
        std::string token;
        if (auto status = authenticate(member, deadline, token); !status.ok()) return status;
        grpc::ClientContext context;
        context.set_deadline(deadline);
        if (!token.empty()) context.AddMetadata("token", token);
        auto status = call(member, context);
        const bool isAgain = !isSecond && !options_.username.empty() && wire::saysNewTokenNeeded(status);
        if (!isAgain) return status;
        forget(token);
    }
}

grpc::Status GrpcClient::authenticate(Member& member, Deadline deadline, std::string& token) {
    if (options_.username.empty()) return grpc::Status::OK;
    {
        const std::scoped_lock lock(mutex_);
        token = token_;
    }
    if (!token.empty()) return grpc::Status::OK;
    etcdserverpb::AuthenticateRequest request;
    request.set_name(options_.username);
    request.set_password(options_.password);
    etcdserverpb::AuthenticateResponse response;
    grpc::ClientContext context;
    context.set_deadline(deadline);
    auto status = member.auth->Authenticate(&context, request, &response);
    // An etcd whose authentication is switched off, or not on yet, needs no token.
    if (status.error_code() == grpc::StatusCode::FAILED_PRECONDITION) return grpc::Status::OK;
    if (!status.ok()) return status;
    token = response.token();
    const std::scoped_lock lock(mutex_);
    token_ = token;
    return status;
}

// Unless another call has got a new one meanwhile.
void GrpcClient::forget(const std::string& token) {
    const std::scoped_lock lock(mutex_);
    if (token_ == token) token_.clear();
}

// --- transactions and reading ---------------------------------------------------------------------------

Result<TransactionAnswer> GrpcClient::transact(const Transaction& transaction) noexcept {
    return guarded<TransactionAnswer>([&]() -> Result<TransactionAnswer> {
        const auto index = members_->current();
        auto& member = (*members_)[index];
        const auto deadline = std::chrono::system_clock::now() + options_.attemptTime;
        const auto request = wire::toWire(transaction);
        etcdserverpb::TxnResponse response;
        const auto status = callWithToken(member, deadline, [&](Member& asked, grpc::ClientContext& context) {
            return asked.keyValue->Txn(&context, request, &response);
        });
        if (status.ok()) return wire::fromWire(std::move(response), transaction);
        auto error = failed(index, status);
        if (!wire::saysNoSpace(status)) return error;
        return lookInto(transaction, member, deadline, std::move(error));
    });
}

// A member that finds its quota exceeded while it carries a transaction out answers NOSPACE and has carried
// it out; refused before, it answers the same. Either way it is decided by then, and this member has seen it:
// what it holds now tells. The conditions hold: not carried out. They do not: a copy sent now would take the
// other branch, so that is answered, with what its Gets find; a caller whose conditions name what it changes
// has to expect that of any repetition. It cannot be a transaction: a full etcd 3.4 refuses even those that
// only read.
Result<TransactionAnswer> GrpcClient::lookInto(const Transaction& transaction, Member& member,
                                               Deadline deadline, Error noSpace) {
    const auto unknown = [&](const char* why) {
        return Error{ErrorCode::busy, fmt::format("{}; {}", noSpace.text, why)};
    };
    if (!leavesTraces(transaction)) return unknown("whether it was carried out cannot be told");
    TransactionAnswer answer;
    const auto get = [&](const std::string& key, std::optional<Row>& row) {
        etcdserverpb::RangeRequest request;
        request.set_key(key);
        request.set_revision(answer.revision);
        etcdserverpb::RangeResponse response;
        const auto status = callWithToken(member, deadline, [&](Member& asked, grpc::ClientContext& context) {
            return asked.keyValue->Range(&context, request, &response);
        });
        if (!status.ok()) return false;
        if (answer.revision == 0) answer.revision = response.header().revision();
        if (response.kvs_size() > 0) row = wire::fromWire(std::move(*response.mutable_kvs(0)));
        return true;
    };
    bool holds = true;
    for (const auto& condition : transaction.conditions) {
        std::optional<Row> row;
        if (!get(condition.key, row)) return unknown("whether it was carried out could not be read");
        const Row found = row.value_or(Row{});
        holds = holds &&
                (condition.of == Condition::Of::created ? found.created : found.modified) == condition.is;
    }
    if (holds) return noSpace;
    for (const auto& operation : transaction.otherwise) {
        const auto* wanted = std::get_if<Get>(&operation);
        if (wanted == nullptr) return unknown("its other branch changes something");
        if (!get(wanted->key, answer.got.emplace_back())) return unknown("what is there could not be read");
    }
    return answer;
}

Result<Page> GrpcClient::read(const std::string& prefix, const std::string& after, Revision at,
                              std::size_t limit) noexcept {
    return guarded<Page>([&]() -> Result<Page> {
        etcdserverpb::RangeRequest request;
        // The least key that is greater than `after`.
        request.set_key(after.empty() ? prefix : after + '\0');
        request.set_range_end(wire::endOf(prefix));
        request.set_limit(static_cast<std::int64_t>(limit));
        request.set_revision(at);
        etcdserverpb::RangeResponse response;
        const auto done = attempt([&](Member& member, grpc::ClientContext& context) {
            return member.keyValue->Range(&context, request, &response);
        });
        if (!done) return done.error();
        Page page{at != 0 ? at : response.header().revision(), {}, response.more()};
        page.rows.reserve(static_cast<std::size_t>(response.kvs_size()));
        for (auto& row : *response.mutable_kvs())
            page.rows.push_back(wire::fromWire(std::move(row)));
        return page;
    });
}

// --- leases ---------------------------------------------------------------------------------------------

Result<LeaseId> GrpcClient::grant(std::chrono::seconds time) noexcept {
    return guarded<LeaseId>([&]() -> Result<LeaseId> {
        etcdserverpb::LeaseGrantRequest request;
        request.set_ttl(time.count());
        etcdserverpb::LeaseGrantResponse response;
        const auto done = attempt([&](Member& member, grpc::ClientContext& context) {
            return member.lease->LeaseGrant(&context, request, &response);
        });
        if (!done) return done.error();
        return response.id();
    });
}

Result<void> GrpcClient::keepAlive(LeaseId lease) noexcept {
    return guarded<void>([&]() -> Result<void> {
        etcdserverpb::LeaseKeepAliveRequest request;
        request.set_id(lease);
        etcdserverpb::LeaseKeepAliveResponse response;
        const auto done = attempt([&](Member& member, grpc::ClientContext& context) {
            const auto stream = member.lease->LeaseKeepAlive(&context);
            if (!stream->Write(request) || !stream->Read(&response)) return stream->Finish();
            context.TryCancel();  // one answer is all we want of this stream
            (void)stream->Finish();
            return grpc::Status::OK;
        });
        if (!done) return done.error();
        if (response.ttl() > 0) return {};
        return Error{ErrorCode::notFound, fmt::format("etcd knows no lease {:x} any more", lease)};
    });
}

Result<void> GrpcClient::revoke(LeaseId lease) noexcept {
    return guarded<void>([&]() -> Result<void> {
        etcdserverpb::LeaseRevokeRequest request;
        request.set_id(lease);
        etcdserverpb::LeaseRevokeResponse response;
        auto done = attempt([&](Member& member, grpc::ClientContext& context) {
            return member.lease->LeaseRevoke(&context, request, &response);
        });
        if (!done && done.error().code == ErrorCode::notFound) return {};
        return done;
    });
}

// --- watching and looking at a member -------------------------------------------------------------------

Result<void> GrpcClient::follow(const std::string& prefix, Revision from, const OnEvents& onEvents,
                                std::stop_token stop) noexcept {
    return guarded<void>([&]() -> Result<void> {
        const auto index = members_->current();
        auto& member = (*members_)[index];
        std::string token;
        const auto deadline = std::chrono::system_clock::now() + options_.attemptTime;
        if (auto status = authenticate(member, deadline, token); !status.ok()) return failed(index, status);
        WatchCall call(member, token, options_.attemptTime);
        auto ended = call.run(prefix, from, onEvents, stop);
        if (ended) return ended;
        // A refusal may be the token's fault, which a watch does not always say.
        if (ended.error().code == ErrorCode::io) forget(token);
        if (ended.error().code == ErrorCode::busy) members_->leave(index);
        return ended;
    });
}

Result<GrpcClient::MemberStatus> GrpcClient::status() noexcept {
    return guarded<MemberStatus>([&]() -> Result<MemberStatus> {
        MemberStatus found;
        etcdserverpb::StatusResponse response;
        const auto done = attempt([&](Member& member, grpc::ClientContext& context) {
            found.member = member.name;
            return member.maintenance->Status(&context, {}, &response);
        });
        if (!done) return done.error();
        found.version = response.version();
        found.knowsLeader = response.leader() != 0;
        found.errors.assign(response.errors().begin(), response.errors().end());
        return found;
    });
}

}  // namespace crnpd::etcd
