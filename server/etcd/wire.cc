// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/wire.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include <fmt/format.h>

namespace crnpd::etcd::wire {
namespace {

template <typename... Cases>
struct Overloaded : Cases... {
    using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

void add(const Condition& condition, etcdserverpb::Compare& to) {
    to.set_result(etcdserverpb::Compare::EQUAL);
    to.set_key(condition.key);
    if (condition.of == Condition::Of::created) {
        to.set_target(etcdserverpb::Compare::CREATE);
        to.set_create_revision(condition.is);
    } else {
        to.set_target(etcdserverpb::Compare::MOD);
        to.set_mod_revision(condition.is);
    }
}

void add(const Operation& operation, etcdserverpb::RequestOp& to) {
    std::visit(Overloaded{[&](const Put& put) {
                              auto& request = *to.mutable_request_put();
                              request.set_key(put.key);
                              request.set_value(put.value);
                              request.set_lease(put.lease);
                          },
                          [&](const Delete& del) {
                              auto& request = *to.mutable_request_delete_range();
                              request.set_key(del.key);
                              if (del.isPrefix) request.set_range_end(endOf(del.key));
                          },
                          [&](const Get& get) { to.mutable_request_range()->set_key(get.key); }},
               operation);
}

// As it reads in the middle of a sentence of ours.
std::string reasonOf(const grpc::Status& status) {
    std::string text = status.error_message();
    if (text.find("certificate verify failed") != std::string::npos ||  // OpenSSL
        text.find("CERTIFICATE_VERIFY_FAILED") != std::string::npos)    // BoringSSL
        return "its certificate is not signed by the authority in ca_file, or is for another host";
    // What gRPC says of a connection begins with everything it tried; the system's word is at the end.
    constexpr std::string_view failed = "Failed to connect to remote host: ";
    if (const auto at = text.find(failed); at != std::string::npos) {
        text = text.substr(at + failed.size());
        if (!text.empty()) text.front() = static_cast<char>(std::tolower(text.front()));
        return text;
    }
    constexpr std::string_view own = "etcdserver: ";
    if (text.starts_with(own)) text.erase(0, own.size());
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) return "no answer in time";
    return text.empty() ? fmt::format("gRPC status {}", static_cast<int>(status.error_code())) : text;
}

bool says(const grpc::Status& status, grpc::StatusCode code, std::string_view text) {
    return status.error_code() == code && status.error_message().find(text) != std::string::npos;
}

}  // namespace

std::string endOf(std::string prefix) {
    while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff)
        prefix.pop_back();
    // Nothing is behind a prefix of nothing but 0xff; a single zero is etcd's word for "to the end".
    if (prefix.empty()) return {'\0'};
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
    return prefix;
}

etcdserverpb::TxnRequest toWire(const Transaction& transaction) {
    etcdserverpb::TxnRequest request;
    for (const auto& condition : transaction.conditions)
        add(condition, *request.add_compare());
    for (const auto& operation : transaction.then)
        add(operation, *request.add_success());
    for (const auto& operation : transaction.otherwise)
        add(operation, *request.add_failure());
    return request;
}

Row fromWire(etcdserverpb::KeyValue&& row) {
    return {std::move(*row.mutable_key()), std::move(*row.mutable_value()), row.create_revision(),
            row.mod_revision(), row.lease()};
}

Result<TransactionAnswer> fromWire(etcdserverpb::TxnResponse&& response, const Transaction& asked) {
    TransactionAnswer answer{response.succeeded(), response.header().revision(), {}};
    const auto& done = answer.succeeded ? asked.then : asked.otherwise;
    const Error noAnswer{ErrorCode::busy, "etcd has answered something else than it was asked"};
    if (static_cast<std::size_t>(response.responses_size()) != done.size()) return noAnswer;
    for (std::size_t index = 0; index < done.size(); ++index) {
        if (!std::holds_alternative<Get>(done[index])) continue;
        auto& part = *response.mutable_responses(static_cast<int>(index));
        if (!part.has_response_range()) return noAnswer;
        auto& range = *part.mutable_response_range();
        std::optional<Row> row;
        if (range.kvs_size() > 0) row = fromWire(std::move(*range.mutable_kvs(0)));
        answer.got.push_back(std::move(row));
    }
    return answer;
}

bool saysNoSpace(const grpc::Status& status) {
    return says(status, grpc::StatusCode::RESOURCE_EXHAUSTED, "database space exceeded");
}

bool saysTooManyRequests(const grpc::Status& status) {
    return says(status, grpc::StatusCode::RESOURCE_EXHAUSTED, "too many requests");
}

bool saysNewTokenNeeded(const grpc::Status& status) {
    return says(status, grpc::StatusCode::UNAUTHENTICATED, "invalid auth token") ||
           says(status, grpc::StatusCode::INVALID_ARGUMENT, "revision of auth store is old") ||
           says(status, grpc::StatusCode::INVALID_ARGUMENT, "user name is empty");
}

// The members check rights, sizes and leases before they change anything (also those that apply an entry),
// so these are true refusals. `ResourceExhausted` is one in etcd's own words only: gRPC says it as well of an
// answer that was too large for us, and then the transaction was carried out.
Error meaningOf(const grpc::Status& status, const std::string& member) {
    const auto text = [&](std::string_view advice) {
        return fmt::format("etcd at {}: {}{}", member, reasonOf(status), advice);
    };
    if (saysNoSpace(status))
        return {
            ErrorCode::noSpace,
            fmt::format("etcd at {} has no space left (NOSPACE alarm): compact and defragment it or raise "
                        "its quota, then disarm the alarm (etcdctl alarm disarm)",
                        member)};
    if (saysTooManyRequests(status))
        return {ErrorCode::noSpace, text(": it cannot keep up; look at its disk")};
    switch (status.error_code()) {
        case grpc::StatusCode::PERMISSION_DENIED:
            return {ErrorCode::io, text(": grant the user of store.etcd.username all rights on the prefix")};
        case grpc::StatusCode::UNAUTHENTICATED:
            return {ErrorCode::io, text(": look at store.etcd.username and password_file")};
        case grpc::StatusCode::INVALID_ARGUMENT:
            if (says(status, grpc::StatusCode::INVALID_ARGUMENT, "authentication failed"))
                return {ErrorCode::io, text(": look at store.etcd.username and password_file")};
            if (says(status, grpc::StatusCode::INVALID_ARGUMENT, "user name is empty"))
                return {ErrorCode::io, text(": it wants a user; set store.etcd.username and password_file")};
            return {ErrorCode::invalidArgument, text("")};
        case grpc::StatusCode::NOT_FOUND:
            return {ErrorCode::notFound, text("")};
        case grpc::StatusCode::OUT_OF_RANGE:
            // The other one is "a future revision": this member is behind.
            if (says(status, grpc::StatusCode::OUT_OF_RANGE, "has been compacted"))
                return {ErrorCode::notFound, text("")};
            return {ErrorCode::busy, text("")};
        default:
            return {ErrorCode::busy, text("")};
    }
}

}  // namespace crnpd::etcd::wire
