// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/allocator.h"

#if defined(CRNPD_TCMALLOC)
#include <gperftools/malloc_extension.h>
#endif

namespace crnpd {

void giveBackFreeMemory() noexcept {
#if defined(CRNPD_TCMALLOC)
    MallocExtension::instance()->ReleaseFreeMemory();
#endif
}

}  // namespace crnpd
