// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Publishing on the active server: the committer numbers the event and stores it, whoever publishes waits.
//
// Threads    publish() on any, several at a time. The committer must outlive the object's last call: whoever
//            calls holds the Serving that both belong to.
#pragma once

#include <chrono>
#include <memory>

#include "server/commit/committer.h"
#include "server/source/publisher.h"

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

}  // namespace crnpd
