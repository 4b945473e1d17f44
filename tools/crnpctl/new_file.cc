// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/new_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace crnpd::crnpctl {
namespace {

constexpr std::size_t flushSize = 1U << 20U;
constexpr mode_t ownerOnly = 0600;

std::string temporary(const std::string& path) {
    return path + ".new";
}

Error failed(const std::string& what) {
    const std::string reason = std::strerror(errno);
    return {ErrorCode::io, what + ": " + reason};
}

// A rename is durable once its folder is.
Result<void> syncFolderOf(const std::string& path) {
    auto folder = std::filesystem::path(path).parent_path();
    if (folder.empty()) folder = ".";
    const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.fd()) != 0) return failed(folder.string());
    return {};
}

}  // namespace

Result<NewFile> NewFile::create(const std::string& path) {
    const auto name = temporary(path);
    struct stat found {};
    if (::stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode))
        return Error{ErrorCode::io, path + ": exists and is not a file; it is left as it is"};
    UniqueFd fd(::open(name.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, ownerOnly));
    if (!fd) return failed(name);
    if (::fstat(fd.fd(), &found) != 0 || !S_ISREG(found.st_mode))
        return Error{ErrorCode::io, name + ": exists and is not a file; it is left as it is"};
    if (::fchmod(fd.fd(), ownerOnly) != 0 || ::ftruncate(fd.fd(), 0) != 0) return failed(name);
    return NewFile(std::move(fd), path);
}

NewFile::~NewFile() {
    if (fd_) ::unlink(temporary(path_).c_str());
}

Result<void> NewFile::write(std::string_view bytes) {
    buffer_ += bytes;
    return buffer_.size() < flushSize ? Result<void>() : flush();
}

Result<void> NewFile::flush() {
    for (std::string_view rest = buffer_; !rest.empty();) {
        const auto length = ::write(fd_.fd(), rest.data(), rest.size());
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) return failed(temporary(path_));
        rest.remove_prefix(static_cast<std::size_t>(length));
    }
    buffer_.clear();
    return {};
}

Result<void> NewFile::commit() {
    if (auto written = flush(); !written) return written;
    if (::fsync(fd_.fd()) != 0) return failed(temporary(path_));
    if (std::rename(temporary(path_).c_str(), path_.c_str()) != 0) return failed(path_);
    fd_.reset();
    return syncFolderOf(path_);
}

}  // namespace crnpd::crnpctl
