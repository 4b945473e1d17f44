// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Whether every thread that must make progress still does: each is handed a piece of work now and then,
// and is alive once it has come to it.
//
// Threads    One: the main thread's. The pieces of work end on the threads they were handed to.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"

namespace crnpd::service {

class Pulse {
public:
    // A thread, and how to hand it work. The work does nothing; that it is gone is the sign.
    struct Member {
        std::string name;
        std::function<void(std::function<void()>)> hand;
        // Whether it is at something that takes as long as it takes. Not asked once its work is gone.
        std::function<bool()> isExcused = [] { return false; };
    };
    struct Late {
        std::string name;
        std::chrono::seconds since;
    };

    explicit Pulse(const Clock& clock) : clock_(clock) {}

    // Those who have not come to their work of the last round yet. Where there are none the next round is
    // handed to `members`.
    std::vector<Late> beat(const std::vector<Member>& members);

private:
    struct Asked {
        std::string name;
        std::weak_ptr<int> work;
        SteadyTime since;
        std::function<bool()> isExcused;
    };

    const Clock& clock_;
    std::vector<Asked> asked_;
};

}  // namespace crnpd::service
