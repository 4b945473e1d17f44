// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Publishes on a standby: hands the event to the active server through etcd (post.h) and waits for its
// number.
//
// Promise    A number that is returned is that of the commit which has the event.
// Threads    Any, several at a time; post() blocks for `limit` and `grace` at most, and the attempts under
//            way. Errors     busy: nothing was published, nor will be. noSpace, io: as busy, by etcd's own
//            word. superseded: nobody knows. post() may throw what the standard library throws when memory
//            runs out.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "common/clock.h"
#include "common/record.h"
#include "common/result.h"
#include "server/etcd/key_value.h"
#include "server/etcd/keys.h"

namespace crnpd::etcd {

class Posting {
public:
    struct Options {
        // For the active server to be done with it.
        std::chrono::milliseconds limit{5000};
        // Beyond that, for one that is at it, or for etcd to answer.
        std::chrono::milliseconds grace{5000};
        std::chrono::milliseconds pause{20};
        std::function<void(std::chrono::milliseconds)> wait{};  // waits that long; empty: sleeps
    };

    // All references must outlive it.
    Posting(KeyValue& etcd, const Clock& clock, Keys keys, Options options);

    // `event` as encodeEvent() writes it.
    [[nodiscard]] Result<Sequence> post(const std::string& event);

private:
    // What became of it; nothing while that is open.
    [[nodiscard]] std::optional<Result<Sequence>> look(const std::string& key);
    [[nodiscard]] Result<Sequence> takeBack(const std::string& key, Revision posted);
    [[nodiscard]] std::optional<Result<Sequence>> read(const Row& row);
    void pause() const;

    KeyValue& etcd_;
    const Clock& clock_;
    const Keys keys_;
    const Options options_;
};

}  // namespace crnpd::etcd
