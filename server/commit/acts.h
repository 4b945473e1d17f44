// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What the committer is asked to do, each with whom to tell: messages of clients, events, and what the
// delivery wants to have kept. All of them stand in one queue, and their order in it is the order of the
// numbers.
//
// Threads    Callbacks run on the committer's thread, once, must not block and must not throw. Where the
//            committer is not started any more they run inside the call that asked.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/committed.h"
#include "common/message.h"
#include "common/record.h"
#include "common/result.h"
#include "server/registry/registry.h"

namespace crnpd::commit {

struct Outcome {
    std::optional<Reply> reply;     // nothing: close without a reply
    std::size_t registrations = 0;  // the client's, after the request
};
using Completion = std::function<void(const Outcome&)>;

struct Submission {
    registry::Request request;
    Completion completion;
};

// The event's number. noSpace, busy (repeat), io: nothing was published, now or later. superseded: nobody
// knows.
using Published = std::function<void(const Result<Sequence>&)>;

struct Publication {
    Publication(std::shared_ptr<const Event> what, std::optional<std::string> postedAs, Published whom);

    std::shared_ptr<const Event> event;
    std::string record;               // its stored form
    std::optional<std::string> post;  // the post it came by, which is answered by the same commit
    Published published;
};

enum class Removal {
    removed,
    spoke,       // the client was answered OK since, or is gone: nothing was changed
    impossible,  // not committed, or nobody knows: try again later
};
using Evicted = std::function<void(Removal)>;

struct Eviction {
    CallbackAddress client;
    NewsNumber heard = 0;  // by whoever asks
    Evicted evicted;
};

// False: not kept, or nobody knows; both may be said again.
using Kept = std::function<void(bool)>;

struct Keeping {
    std::optional<MarkRecord> mark;
    std::vector<Sequence> released;  // no more than a commit takes, with the mark
    Kept kept;
};

using Act = std::variant<Submission, Publication, Eviction, Keeping>;

// The operations it takes of a store, and the bytes, both at most.
struct Extent {
    std::size_t operations = 0;
    std::size_t bytes = 0;
};
[[nodiscard]] Extent extentOf(const Act& act, const registry::Staging& staging);

// The act must wait for the next layer (Staging::hasNewNumber()).
[[nodiscard]] bool wouldHideANumber(const Act& act, const registry::Staging& staging);

// On a layer above what is committed; takes the event out of a publication.
[[nodiscard]] registry::Decision decide(Act& act, registry::Staging& staging, WallTime now);

// Each tells whoever asked, and only one of them is called for an act.
void answer(const Act& act, registry::Decision& decision);
void refuse(const Act& act, const Error& reason);  // nothing was changed
void leaveUnanswered(const Act& act, const Error& reason);

}  // namespace crnpd::commit
