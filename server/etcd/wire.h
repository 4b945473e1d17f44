// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Between our words and etcd's wire format; and what an answer of etcd means.
#pragma once

#include <string>
#include <string_view>

#include <etcd.pb.h>
#include <grpcpp/support/status.h>

#include "common/result.h"
#include "server/etcd/key_value.h"

namespace crnpd::etcd::wire {

// The first key behind everything that begins with `prefix`; what etcd calls range_end.
[[nodiscard]] std::string endOf(std::string prefix);

[[nodiscard]] etcdserverpb::TxnRequest toWire(const Transaction& transaction);
[[nodiscard]] Row fromWire(etcdserverpb::KeyValue&& row);
// busy: it is no answer to what was asked, so nobody knows what was done.
[[nodiscard]] Result<TransactionAnswer> fromWire(etcdserverpb::TxnResponse&& response,
                                                 const Transaction& asked);

// What the failed call to `member` means, by the error codes of key_value.h and leases.h. Only what etcd says
// itself and before it does anything is a no; all that a connection or a deadline brings is `busy`.
[[nodiscard]] Error meaningOf(const grpc::Status& status, const std::string& member);

// The database is full. Of a transaction this alone does not say that it was not carried out: the member that
// finds out while it carries it out answers the same.
[[nodiscard]] bool saysNoSpace(const grpc::Status& status);
// Our token is none any more: authenticate again. Nothing was done.
[[nodiscard]] bool saysNewTokenNeeded(const grpc::Status& status);
// Nothing was done: another member may do better.
[[nodiscard]] bool saysTooManyRequests(const grpc::Status& status);

}  // namespace crnpd::etcd::wire
