// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The election of the embedded store: whoever holds the lock on `<store>.lock` leads.
//
// Promise    At most one process of this machine leads, and none reads the store before it leads. The kernel
//            frees the lock when its holder dies, however it dies; a waiting process leads within 50 ms.
//            Between machines (shared disk, DRBD) the cluster manager's fencing does this, not the lock.
// Format     A short text that a person can read: see docs/store-format.md. The term is in it, so it counts
//            on across processes.
// Threads    As in election.h.
// Errors     notFound: the folder does not exist. io: no permission, or the file system knows no locks.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "common/unique_fd.h"
#include "server/store/election.h"

namespace crnpd::store {

class FileLock final : public Election {
public:
    // The path of the store, not of the lock.
    explicit FileLock(std::string storePath);

    // A request to stop is answered at once.
    [[nodiscard]] Result<Term> campaign(std::stop_token stop) noexcept override;
    void resign() noexcept override;
    [[nodiscard]] std::string leader() const override;

private:
    // Who leads, as written in the lock file.
    struct Holder {
        Term term = 0;
        std::string pid;  // empty: nobody
        std::string host;
    };

    [[nodiscard]] Result<std::string> lockPath() const;
    // An open lock file that is locked for us, or none if somebody else has it.
    [[nodiscard]] Result<UniqueFd> tryLock(const std::string& path) const;
    [[nodiscard]] Result<Term> takeOffice(const std::string& path, UniqueFd locked);
    [[nodiscard]] Result<Term> enter(const std::string& path, UniqueFd locked);
    // How often it has been ours, nothing while it is.
    [[nodiscard]] std::optional<std::uint64_t> tenuresBefore() const;
    static Holder readHolder(int fd);

    std::string storePath_;
    mutable std::mutex mutex_;  // guards the rest
    UniqueFd held_;
    // From before the file names us: the lock may be ours already while we are writing it.
    bool isOurs_ = false;
    std::uint64_t tenures_ = 0;  // how often it has been ours
    Term term_ = 0;
};

}  // namespace crnpd::store
