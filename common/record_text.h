// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The parts of which stored records consist (docs/store-format.md): numbers are decimal and end with ':', a
// string is its length in bytes, ':' and its bytes. Nothing has two spellings, so that equal values take
// equal bytes.
//
// Threads    Free functions, and a reader that belongs to whoever made it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/message.h"

namespace crnpd::record_text {

// The fewest bytes that a part can take. A count that promises more parts than the rest of the record can
// hold is refused before anything is reserved for it.
inline constexpr std::size_t shortestPair = std::string_view{"0:0:"}.size();
inline constexpr std::size_t shortestValue = std::string_view{"0:"}.size();

void append(std::string& out, std::size_t number);
void append(std::string& out, std::string_view text);
// Name, number of values, values.
void append(std::string& out, const NvPair& pair);

// Takes a record apart from the front. After a part that did not fit every further one is refused.
class Reader {
public:
    explicit Reader(std::string_view record) : record_(record) {}

    std::optional<std::size_t> number() noexcept;
    // A number of parts of at least so many bytes each, which the rest of the record can hold.
    std::optional<std::size_t> count(std::size_t shortestPart) noexcept;
    std::optional<std::string_view> string() noexcept;
    // One byte.
    std::optional<char> mark() noexcept;

    [[nodiscard]] std::size_t position() const noexcept { return at_; }
    [[nodiscard]] std::size_t rest() const noexcept { return record_.size() - at_; }
    [[nodiscard]] std::string_view since(std::size_t position) const noexcept {
        return record_.substr(position, at_ - position);
    }

private:
    std::string_view record_;
    std::size_t at_ = 0;
};

}  // namespace crnpd::record_text
