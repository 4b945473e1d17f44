// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A folder of a test's own, gone with it, and the records that store tests write.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/record.h"

namespace crnpd::store {

class StoreFolder {
public:
    StoreFolder();
    ~StoreFolder();
    StoreFolder(const StoreFolder&) = delete;
    StoreFolder& operator=(const StoreFolder&) = delete;

    // The path of `name` in the folder.
    [[nodiscard]] std::string operator/(std::string_view name) const { return (folder_ / name).string(); }
    [[nodiscard]] std::string store() const { return *this / "registrations.db"; }
    // The names of what is in it, sorted.
    [[nodiscard]] std::vector<std::string> files() const;

private:
    std::filesystem::path folder_;
};

// An empty content stands for a file that is not there.
[[nodiscard]] std::string contentOf(const std::string& path);
void writeContent(const std::string& path, std::string_view content);

// Client number `id` with `registrations` registrations, each a little different.
[[nodiscard]] ClientRecord client(RecordId id, unsigned registrations = 1);
// As large as `bytes`, to fill pages.
[[nodiscard]] ClientRecord largeClient(RecordId id, std::size_t bytes);
[[nodiscard]] RemovalRecord removal(RecordId id, std::int64_t atMilliseconds = 1'700'000'000'123);
[[nodiscard]] ForgottenRecord forgotten(RecordId id);
// An event that could have been published, a different one for each number.
[[nodiscard]] EventRecord event(Sequence sequence);

// Makes a store file one of the first version again, with what that one knew.
inline constexpr const char* backToVersion1 =
    "BEGIN; DROP TABLE events; DROP TABLE mark;"
    "ALTER TABLE head DROP COLUMN last; ALTER TABLE clients DROP COLUMN via;"
    "ALTER TABLE clients DROP COLUMN joined; ALTER TABLE clients DROP COLUMN added;"
    "PRAGMA user_version=1; COMMIT";

// What a store must hold after `changes`.
void apply(Snapshot& snapshot, BatchId batch, const std::vector<Change>& changes,
           const EventChanges& events = {});

}  // namespace crnpd::store
