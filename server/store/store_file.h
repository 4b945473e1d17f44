// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The store as a file: what lies at a path before SQLite touches it, and how a new one comes to be.
// Included by the sources of this folder only.
#pragma once

#include <string>

#include "common/result.h"

namespace crnpd::store {

enum class FileState { absent, store };

// The path that one file has under all of its names, so that a symbolic link shares the lock and the WAL of
// what it points to. The file itself need not exist.
[[nodiscard]] Result<std::string> canonicalPath(const std::string& path);

// Reads the first 100 bytes of what is there and writes nothing. An empty file counts as absent. `foreign`
// for what is not a store or of a newer version.
[[nodiscard]] Result<FileState> inspectFile(const std::string& path);

// Makes an empty store at `path`, whole or not at all: it is written beside and renamed.
[[nodiscard]] Result<void> createFile(const std::string& path, const std::string& vfs);

// Makes the creation or renaming of files in the folder of `path` durable.
[[nodiscard]] Result<void> syncFolderOf(const std::string& path);

}  // namespace crnpd::store
