// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Makes durable what recovery found in the WAL.
//
// After a failed fsync Linux may keep the pages in memory as clean, although they never reached the disk: the
// next process reads commits there that a power failure would take back, and no later fsync writes them.
// Only writing the bytes again helps. So before a load is believed, the WAL is written over itself and
// synced. Included by the sources of this folder only.
#pragma once

#include <cstdint>
#include <string>

#include "common/result.h"
#include "server/store/sqlite.h"

namespace crnpd::store {

struct WalFingerprint {
    std::int64_t size = 0;
    std::size_t hash = 0;

    friend bool operator==(const WalFingerprint&, const WalFingerprint&) = default;
};

// Of the WAL beside the database `path`, before SQLite opens it. A missing file is an empty one.
[[nodiscard]] Result<WalFingerprint> fingerprintWal(const std::string& path);

// Call inside a write transaction that has written nothing yet, so that nobody else can write the file.
// `busy` if the WAL is not the one that was there before recovery read it.
[[nodiscard]] Result<void> rewriteWal(sqlite::Connection& connection, const WalFingerprint& before);

}  // namespace crnpd::store
