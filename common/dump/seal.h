// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The last line of a dump, which says that it is whole: {"end":true,"rows":N,"sha256":"…"}. The checksum is
// of all bytes before that line, so `head -n -1 FILE | sha256sum` tells the same.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/dump/sha256.h"
#include "common/result.h"

namespace crnpd::dump {

class Seal {
public:
    // Each line before the last, without its line feed.
    void add(std::string_view line);

    // How many lines came behind the first.
    [[nodiscard]] std::size_t rows() const noexcept { return lines_ == 0 ? 0 : lines_ - 1; }

    // The last line. It and check() end the object's use.
    [[nodiscard]] std::string line();
    // Whether `line` is that line. damaged: it is not, or of other rows.
    [[nodiscard]] Result<void> check(std::string_view line);

    // Whether it is a last line, true or not.
    [[nodiscard]] static bool isOne(std::string_view line) noexcept { return line.starts_with("{\"end\":"); }

private:
    Sha256 sum_;
    std::size_t lines_ = 0;
};

}  // namespace crnpd::dump
