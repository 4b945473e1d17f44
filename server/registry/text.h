// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A text that does not change, behind one pointer: a quarter of a std::string, which counts where there are a
// million.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

namespace crnpd::registry {

class Text {
public:
    Text() = default;
    explicit Text(std::string_view text) {
        assert(text.size() <= std::numeric_limits<Length>::max());
        if (text.empty()) return;
        const auto length = static_cast<Length>(text.size());
        block_.reset(new char[sizeof length + text.size()]);
        std::memcpy(block_.get(), &length, sizeof length);
        std::memcpy(block_.get() + sizeof length, text.data(), text.size());
    }
    ~Text() = default;
    Text(const Text& other) : Text(other.view()) {}
    Text(Text&&) noexcept = default;
    Text& operator=(const Text& other) {
        Text copy(other);
        std::swap(block_, copy.block_);
        return *this;
    }
    Text& operator=(Text&&) noexcept = default;

    [[nodiscard]] std::string_view view() const noexcept {
        return block_ ? std::string_view{block_.get() + sizeof(Length), size()} : std::string_view{};
    }
    [[nodiscard]] std::size_t size() const noexcept {
        if (!block_) return 0;
        Length length = 0;
        std::memcpy(&length, block_.get(), sizeof length);
        return length;
    }

private:
    using Length = std::uint32_t;

    std::unique_ptr<char[]> block_;  // the length, then the bytes
};

}  // namespace crnpd::registry
