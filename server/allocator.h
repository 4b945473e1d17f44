// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The allocator of the process: tcmalloc, because nearly everything here is allocated on one thread and freed
// on another; under a sanitizer the sanitizer's own.
//
// Threads    Any.
#pragma once

namespace crnpd {

// What is free in the allocator's hands goes back to the system. Takes milliseconds where that is much.
void giveBackFreeMemory() noexcept;

}  // namespace crnpd
