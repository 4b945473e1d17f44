// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Where this server keeps its registrations, with the election that goes with it: the one place that knows
// which kinds there are.
//
// Threads    election() and copy() as their own headers say; openStore() is the failover thread's.
// Errors     make() throws std::runtime_error for what is missing at the start (a certificate that cannot be
//            read).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/message.h"
#include "common/result.h"
#include "server/config/settings.h"
#include "server/source/publisher.h"
#include "server/store/election.h"
#include "server/store/registration_store.h"

namespace crnpd {

// Events that standbys have posted, as long as this lives. One that was committed is answered by that commit
// (PostedAnswer).
class Posts {
public:
    virtual ~Posts() = default;
    // It was not published and will not be. Any thread; does not block.
    virtual void refuse(const std::string& post) noexcept = 0;
};

class Backend {
public:
    // What a standby holds ready for a takeover.
    struct Copy {
        bool isComplete = false;  // the numbers are of use
        std::size_t clients = 0;
        BatchId batch = 0;
        std::string trouble;  // why it is behind or missing, if it is

        // "12 clients held ready, revision 34", or why not.
        [[nodiscard]] std::string text() const;
    };

    Backend() = default;
    virtual ~Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;

    [[nodiscard]] static std::unique_ptr<Backend> make(const config::Settings& settings);

    [[nodiscard]] virtual store::Election& election() noexcept = 0;
    // One at a time, and none when the backend goes.
    [[nodiscard]] virtual std::unique_ptr<store::RegistrationStore> openStore(store::Term term) = 0;
    // How long an outcome that is unknown is looked for.
    [[nodiscard]] virtual std::chrono::milliseconds commitLimit() const noexcept = 0;
    // Nothing where a standby keeps none.
    [[nodiscard]] virtual std::optional<Copy> copy() const { return std::nullopt; }
    // Publishes by way of the server that leads; null where a standby has no way to it.
    [[nodiscard]] virtual std::shared_ptr<source::Publisher> poster() { return nullptr; }
    // What standbys publish by way of this server, which leads `term` and has loaded its store: each event
    // once a term, on another thread. Null where there is none. Goes before the term's store does.
    using OnPost = std::function<void(const std::string& post, std::shared_ptr<const Event> event)>;
    [[nodiscard]] virtual std::unique_ptr<Posts> watchPosts(store::Term /*term*/, const OnPost& /*onPost*/) {
        return nullptr;
    }
    // For messages: "/var/lib/crnpd/registrations.db", "etcd, /crnpd".
    [[nodiscard]] virtual const std::string& name() const noexcept = 0;
};

// Where the id of the lease lies while this server leads, for whoever cleans up after it (ExecStopPost= in
// the unit).
[[nodiscard]] std::filesystem::path leaseFile(const config::Settings& settings);

// Has the lease of a server that has died revoked, so that another is elected at once. Nothing to do is no
// error. True if there was a lease.
[[nodiscard]] Result<bool> revokeLease(const config::Settings& settings);

}  // namespace crnpd
