// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Whether it pays to look once more for the end of a delivery before the thread goes to sleep over it.
//
// A client nearby has read its event and closed before a thread could fall asleep and be woken again; for one
// that is slow or far away, looking is wasted time. Experience decides: after each look in vain more
// occasions are passed over, up to `mostPassedOver`; one that paid off makes all further ones welcome.
//
// Threads    One at a time.
#pragma once

#include <algorithm>

namespace crnpd::delivery {

class Promptness {
public:
    static constexpr unsigned mostPassedOver = 127;

    // Takes note of an occasion; true: look, and tell what came of it.
    [[nodiscard]] bool paysToLook() noexcept {
        if (left_ == 0) return true;
        --left_;
        return false;
    }
    void paidOff() noexcept { passedOver_ = 0; }
    void wasInVain() noexcept {
        passedOver_ = std::min(2 * passedOver_ + 1, mostPassedOver);
        left_ = passedOver_;
    }

private:
    unsigned passedOver_ = 0;  // occasions, after the last look
    unsigned left_ = 0;        // of them
};

}  // namespace crnpd::delivery
