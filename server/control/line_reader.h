// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What a peer sends over its socket, line by line.
//
// Threads    One; calls block as long as the socket's time limit for receiving.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace crnpd::control {

class LineReader {
public:
    explicit LineReader(int fd) : fd_(fd) {}

    // The next line without its line feed; at the end of file what is left, if anything. Nothing where there
    // is no more, none came in time, or it is longer than `longest`.
    [[nodiscard]] std::optional<std::string> next(std::size_t longest);

private:
    int fd_;
    std::string buffer_;
    std::size_t used_ = 0;  // bytes of buffer_ that were returned
};

}  // namespace crnpd::control
