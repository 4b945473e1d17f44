// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "common/dump/dump_reader.h"

#include <utility>
#include <variant>

#include <fmt/format.h>

namespace crnpd::dump {
namespace {

Error damaged(std::string text) {
    return {ErrorCode::damaged, std::move(text)};
}

}  // namespace

Result<void> Reader::take(std::string_view line) {
    ++line_;
    auto taken = takeNext(line);
    if (taken) return taken;
    const auto& why = taken.error();
    return Error{why.code, fmt::format("line {}: {}", line_, why.text), line_};
}

Result<void> Reader::finish() const {
    if (whole_) return {};
    if (line_ == 0) return damaged("the dump is empty");
    return Error{ErrorCode::damaged,
                 fmt::format("the dump was cut off behind line {}: its last line is missing", line_), line_};
}

Result<void> Reader::takeNext(std::string_view line) {
    if (whole_) return damaged("something follows behind the last line");
    if (line_ == 1) return takeHeader(line);
    return Seal::isOne(line) ? takeEnd(line) : takeRow(line);
}

Result<void> Reader::takeHeader(std::string_view line) {
    auto header = readHeader(line);
    if (!header) return header.error();
    header_ = std::move(*header);
    seal_.add(line);
    return {};
}

Result<void> Reader::takeRow(std::string_view line) {
    auto row = readRow(line);
    if (!row) return row.error();
    const auto [id, address] = std::visit(
        [](const auto& record) {
            return std::pair{record.id, record.client};
        },
        *row);
    if (!ids_.insert(id).second) return damaged(fmt::format("the id {} is there twice", id));
    if (!addresses_.insert(address).second)
        return damaged(fmt::format("the address {} is there twice", address.text()));
    if (std::holds_alternative<ClientRecord>(*row)) ++clients_;
    seal_.add(line);
    if (sink_) sink_(std::move(*row));
    return {};
}

Result<void> Reader::takeEnd(std::string_view line) {
    if (auto checked = seal_.check(line); !checked) return checked;
    if (clients_ != header_.clients || ids_.size() - clients_ != header_.removals) {
        return damaged(fmt::format("there are {} clients and {} removals, but the first line says {} and {}",
                                   clients_, ids_.size() - clients_, header_.clients, header_.removals));
    }
    whole_ = true;
    return {};
}

}  // namespace crnpd::dump
