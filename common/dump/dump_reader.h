// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Reads a dump line by line and believes nothing of it before the last line was right.
//
//     Reader reader([&](Change row) { … });
//     for (…) if (const auto taken = reader.take(line); !taken) return taken.error();
//     if (const auto whole = reader.finish(); !whole) return whole.error();
//
// Errors     foreign: a newer format. damaged: anything else that is wrong, such as an address or an id
//            that is there twice, a row too few, a changed byte. The text and Error::line name the line.
//            After an error nothing more may be asked.
#pragma once

#include <functional>
#include <string_view>
#include <unordered_set>

#include "common/dump/dump_line.h"
#include "common/dump/seal.h"
#include "common/record.h"
#include "common/result.h"

namespace crnpd::dump {

class Reader {
public:
    using Sink = std::function<void(Change&& row)>;

    // `sink` gets each row as it comes, before it is known whether the dump is whole. It may be empty.
    explicit Reader(Sink sink) : sink_(std::move(sink)) {}

    // The next line, without its line feed.
    [[nodiscard]] Result<void> take(std::string_view line);
    // Whether the last line was taken, and was right.
    [[nodiscard]] bool isWhole() const noexcept { return whole_; }
    // There is no further line.
    [[nodiscard]] Result<void> finish() const;

    // Once the first line was taken.
    [[nodiscard]] const Header& header() const noexcept { return header_; }

private:
    [[nodiscard]] Result<void> takeNext(std::string_view line);
    [[nodiscard]] Result<void> takeHeader(std::string_view line);
    [[nodiscard]] Result<void> takeRow(std::string_view line);
    [[nodiscard]] Result<void> takeEnd(std::string_view line);

    Sink sink_;
    Header header_;
    Seal seal_;
    unsigned line_ = 0;
    bool whole_ = false;
    std::size_t clients_ = 0;
    std::unordered_set<RecordId> ids_;
    std::unordered_set<CallbackAddress> addresses_;
};

}  // namespace crnpd::dump
