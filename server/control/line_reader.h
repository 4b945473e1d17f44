// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What a peer sends over its socket: line by line, or as it comes.
//
// Threads    One; calls block as long as the socket's time limit for receiving.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "common/result.h"

namespace crnpd::control {

class LineReader {
public:
    explicit LineReader(int fd) : fd_(fd) {}

    // The first byte that is no white space; it stays to be read. Nothing where none came in time, or none
    // among the first `longest`.
    [[nodiscard]] std::optional<char> first(std::size_t longest);

    // The next line without its line feed; at the end of file what is left, if anything. Nothing where there
    // is no more, none came in time, or it is longer than `longest`.
    [[nodiscard]] std::optional<std::string> next(std::size_t longest);

    // What has come and was not returned yet, else what comes next. Empty at the end of file. io: nothing
    // came in time, or the connection broke.
    [[nodiscard]] Result<std::string> piece();

private:
    // More bytes for the buffer; false at the end of file. io as piece().
    [[nodiscard]] Result<bool> receive();

    int fd_;
    std::string buffer_;
    std::size_t used_ = 0;  // bytes of buffer_ that were returned
};

}  // namespace crnpd::control
