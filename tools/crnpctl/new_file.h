// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A file that takes its name only once it is whole and on disk. Until then it is FILE.new, readable by its
// owner alone; a rest of an earlier attempt is overwritten.
//
// Errors     io, with the path in the text. Without commit() FILE.new goes with the object.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"
#include "common/unique_fd.h"

namespace crnpd::crnpctl {

class NewFile {
public:
    static Result<NewFile> create(const std::string& path);
    NewFile(NewFile&&) = default;
    NewFile& operator=(NewFile&&) = delete;
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile();

    [[nodiscard]] Result<void> write(std::string_view bytes);
    // Makes it durable under its own name, in the place of what had the name.
    [[nodiscard]] Result<void> commit();

private:
    NewFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

    [[nodiscard]] Result<void> flush();

    UniqueFd fd_;
    std::string path_;
    std::string buffer_;
};

}  // namespace crnpd::crnpctl
