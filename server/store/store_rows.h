// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Records to rows of the tables `clients`, `events` and `mark`, and back. Included by the sources of this
// folder only.
#pragma once

#include <string>
#include <variant>

#include "common/record.h"
#include "common/result.h"
#include "server/store/sqlite.h"

namespace crnpd::store {

// The statements that write, prepared once.
class RowWriter {
public:
    static Result<RowWriter> prepare(sqlite::Connection& connection);

    // SQLite's result code.
    [[nodiscard]] int write(const Change& change);
    [[nodiscard]] int write(const EventChanges& events);

private:
    [[nodiscard]] int write(const ClientRecord& record);
    [[nodiscard]] int write(const RemovalRecord& record);
    [[nodiscard]] int write(const ForgottenRecord& record);
    void bindKey(RecordId id, const CallbackAddress& client);

    sqlite::Statement put_;
    sqlite::Statement forget_;
    sqlite::Statement publish_;
    sqlite::Statement release_;
    sqlite::Statement mark_;
    std::string ip_;  // what put_ is bound to
    std::string via_;
};

// Everything in the file, every row checked. `damaged` names the row that nobody of us wrote.
[[nodiscard]] Result<Snapshot> readSnapshot(sqlite::Connection& connection);

}  // namespace crnpd::store
