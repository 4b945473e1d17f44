// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/support/failing_memory.h"

#include <cstdlib>
#include <new>

namespace {

thread_local unsigned ahead = 0;

void* allocate(std::size_t size) noexcept {
    if (ahead > 0 && --ahead == 0) return nullptr;
    return std::malloc(size == 0 ? 1 : size);
}

}  // namespace

void crnpd::support::failAllocation(unsigned n) noexcept {
    ahead = n;
}

bool crnpd::support::isFailureAhead() noexcept {
    return ahead > 0;
}

void* operator new(std::size_t size) {
    if (auto* const memory = allocate(size)) return memory;
    throw std::bad_alloc();
}
void* operator new[](std::size_t size) {
    return operator new(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return allocate(size);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete[](void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    std::free(memory);
}
