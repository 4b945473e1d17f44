// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What a store file looks like and how it is recognised: docs/store-format.md in code.
//
//     application_id  "CRNP"           a file of this project
//     user_version    formatVersion    the layout of its tables
//     format          a page of text that tells a person with sqlite3 what the file is
//     head            one row: the last committed batch, an epoch (see SqliteSession), the greatest number of
//     all clients         one row a client, or a removal that is still remembered events          one row an
//     event that somebody may still need mark            one row, or none yet: how far the delivery is
//
// Included by the sources of this folder only.
#pragma once

#include <cstdint>
#include <string>

#include "common/result.h"
#include "server/store/sqlite.h"

namespace crnpd::store {

inline constexpr std::int64_t applicationId = 0x43524E50;  // "CRNP"
inline constexpr std::int64_t formatVersion = 2;

// Whether a file with these two marks may be opened by this program; `foreign` says why not.
[[nodiscard]] Result<void> checkMarks(const std::string& path, std::int64_t applicationId,
                                      std::int64_t version);

// Creates the tables in an empty database.
[[nodiscard]] Result<void> writeFormat(sqlite::Connection& connection);

// Brings a file of an older version to formatVersion, within the caller's transaction. Does nothing for a
// file that is there already.
[[nodiscard]] Result<void> upgradeFormat(sqlite::Connection& connection);

}  // namespace crnpd::store
