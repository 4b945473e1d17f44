// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Publishing on the active server: the committer numbers the event and stores it, whoever publishes waits;
//            and what standbys have posted is published in their place.
//
// Threads    publish() on any, several at a time. PostedEvents is made and destroyed by the failover thread.
#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include "server/backend.h"
#include "server/source/publisher.h"
#include "server/store/election.h"

namespace crnpd {

class Serving;

class CommittedPublisher final : public source::Publisher {
public:
    // How long a commit is waited for. After it nobody knows.
    static constexpr std::chrono::seconds patience{20};

    explicit CommittedPublisher(std::shared_ptr<Serving> serving) : serving_(std::move(serving)) {}

    [[nodiscard]] Result<Sequence> publish(Event event) override;

private:
    std::shared_ptr<Serving> serving_;
};

// What standbys post, as long as this server leads; nothing where the store has no posts. Goes before the
// store.
class PostedEvents {
public:
    PostedEvents(Backend& backend, store::Term term, const std::shared_ptr<Serving>& serving);
    ~PostedEvents();
    PostedEvents(const PostedEvents&) = delete;
    PostedEvents& operator=(const PostedEvents&) = delete;

private:
    // The committer may answer when this is gone.
    struct Office;

    std::shared_ptr<Office> office_;
    std::unique_ptr<Posts> posts_;
};

}  // namespace crnpd
