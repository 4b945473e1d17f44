// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Memory that fails: replaces operator new in every program that failing_memory.cc is linked into.
//
// Threads    Each fails for itself only.
#pragma once

namespace crnpd::support {

// The n-th allocation of this thread from now on throws std::bad_alloc, once; 0: none does.
void failAllocation(unsigned n) noexcept;

// Whether an allocation that was to fail is still to come.
[[nodiscard]] bool isFailureAhead() noexcept;

}  // namespace crnpd::support
