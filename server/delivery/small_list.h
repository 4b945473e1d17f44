// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A list of small plain values that mostly has one: that one takes no memory of its own. Inside this folder
// only.
//
// Threads    One thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace crnpd::delivery {

template <typename T>
class SmallList {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(T*));

public:
    SmallList() = default;
    ~SmallList() { drop(); }
    SmallList(const SmallList&) = delete;
    SmallList& operator=(const SmallList&) = delete;
    SmallList(SmallList&& other) noexcept { swap(other); }
    SmallList& operator=(SmallList&& other) noexcept {
        SmallList taken(std::move(other));
        swap(taken);
        return *this;
    }

    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] T* begin() noexcept { return isInline() ? &held_.one : held_.many; }
    [[nodiscard]] T* end() noexcept { return begin() + size_; }
    [[nodiscard]] const T* begin() const noexcept { return isInline() ? &held_.one : held_.many; }
    [[nodiscard]] const T* end() const noexcept { return begin() + size_; }
    [[nodiscard]] T& operator[](std::uint32_t at) noexcept { return begin()[at]; }
    [[nodiscard]] T& back() noexcept { return begin()[size_ - 1]; }

    void push(T value) {
        if (size_ == capacity_) resize(capacity_ + std::max(capacity_ / 2, 1U));
        begin()[size_++] = value;
    }
    void pop() {
        --size_;
        if (!isInline() && size_ <= capacity_ / 4) resize(std::max(size_ + size_ / 2, 1U));
    }

private:
    union Held {
        T one;
        T* many;
    };

    [[nodiscard]] bool isInline() const noexcept { return capacity_ == 1; }

    void drop() noexcept {
        if (!isInline()) delete[] held_.many;
    }

    void swap(SmallList& other) noexcept {
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        std::swap(held_, other.held_);
    }

    void resize(std::uint32_t capacity) {
        if (capacity == 1) {
            const std::unique_ptr<T[]> old(held_.many);
            held_.one = old[0];
        } else {
            auto* const larger = new T[capacity];
            std::copy(begin(), end(), larger);
            drop();
            held_.many = larger;
        }
        capacity_ = capacity;
    }

    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = 1;
    Held held_{};
};

}  // namespace crnpd::delivery
