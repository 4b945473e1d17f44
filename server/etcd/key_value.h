// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The part of etcd that decides anything: conditional transactions, and reading as of one revision. The real
// one speaks gRPC (grpc_client.h); the simulation has one in memory that loses answers and applies late.
//
// Promise    A transaction is carried out as a whole or not at all, each at one revision of its own, and all
//            of them in one order that everybody sees. A page that was read as of a revision is exactly what
//            was there then; nothing else that is read is promised to be current.
// Threads    Any; calls block for one attempt (Options of the implementation), never longer.
// Errors     busy: no answer. A transaction may have been carried out, or may yet be, at any later time.
//            noSpace, io, invalidArgument, notFound (the lease of a Put is gone): the answer was no, and this
//            copy will never be carried out. An earlier copy that was not answered still may. No method
//            throws.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/result.h"

namespace crnpd::etcd {

// Counts every change of anything in etcd. 0 is none.
using Revision = std::int64_t;
// 0 is none.
using LeaseId = std::int64_t;

struct Row {
    std::string key;
    std::string value;
    Revision created = 0;   // when the key came to be; a deleted key begins anew
    Revision modified = 0;  // when it was last put
    LeaseId lease = 0;

    friend bool operator==(const Row&, const Row&) = default;
};

// A key that is not there has been created and modified at revision 0.
struct Condition {
    enum class Of { created, modified };

    Of of = Of::created;
    std::string key;
    Revision is = 0;
};

struct Put {
    std::string key;
    std::string value;
    LeaseId lease = 0;  // the row goes when the lease ends
};
struct Delete {
    std::string key;
    bool isPrefix = false;  // everything that begins with `key`
};
struct Get {
    std::string key;
};
// No two of one transaction may change the same key. At most 128, and 1.5 MiB in all.
using Operation = std::variant<Put, Delete, Get>;

struct Transaction {
    std::vector<Condition> conditions;  // all of them
    std::vector<Operation> then;
    std::vector<Operation> otherwise;
};

struct TransactionAnswer {
    bool succeeded = false;               // the conditions held, `then` was done
    Revision revision = 0;                // of the whole store after it; its own, if it changed anything
    std::vector<std::optional<Row>> got;  // one for each Get of the branch that was done, in their order
};

struct Page {
    Revision revision = 0;  // the store's at that time
    std::vector<Row> rows;  // by key
    bool hasMore = false;
};

class KeyValue {
public:
    KeyValue() = default;
    virtual ~KeyValue() = default;
    KeyValue(const KeyValue&) = delete;
    KeyValue& operator=(const KeyValue&) = delete;

    [[nodiscard]] virtual Result<TransactionAnswer> transact(const Transaction& transaction) noexcept = 0;

    // At most `limit` rows whose keys begin with `prefix`, those behind the key `after` ("" for the first),
    // as of `at`; 0 is now, or somewhat ago. notFound: `at` was compacted away.
    [[nodiscard]] virtual Result<Page> read(const std::string& prefix, const std::string& after, Revision at,
                                            std::size_t limit) noexcept = 0;
};

}  // namespace crnpd::etcd
