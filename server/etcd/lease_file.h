// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A note of the lease that this process leads under, for whoever cleans up after it: when the process has
// crashed, revoking the lease lets another server lead at once instead of after the lease's time.
//
// Format     "lease 694d7f…\npid 4711\nstarted 123456\n": the lease in hex as etcdctl prints it, and the
//            process with its start time as /proc tells it, so that a number that was given again does no
//            harm.
// Threads    Any.
// Errors     io: the file, named in the text. damaged: it is no such note.
#pragma once

#include <string>

#include "common/result.h"
#include "server/etcd/leases.h"

namespace crnpd::etcd {

// Replaces what is there. For its owner's eyes only.
[[nodiscard]] Result<void> writeLeaseFile(const std::string& path, LeaseId lease);
void removeLeaseFile(const std::string& path) noexcept;

// Revokes the noted lease and removes the note; false if there is none. busy: the process that wrote it still
// runs, or etcd does not answer; the note stays.
[[nodiscard]] Result<bool> revokeLeaseInFile(Leases& etcd, const std::string& path);

}  // namespace crnpd::etcd
