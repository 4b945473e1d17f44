// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/control/line_reader.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <sys/socket.h>

namespace crnpd::control {
namespace {

constexpr std::size_t readSize = 65536;
constexpr std::string_view whiteSpace = " \t\r\n";

}  // namespace

Result<bool> LineReader::receive() {
    std::array<char, readSize> piece;
    const auto length = ::recv(fd_, piece.data(), piece.size(), 0);
    if (length < 0) return Error{ErrorCode::io, std::strerror(errno)};
    buffer_.append(piece.data(), static_cast<std::size_t>(length));
    return length > 0;
}

std::optional<char> LineReader::first(std::size_t longest) {
    for (auto scanned = used_;;) {
        if (const auto found = buffer_.find_first_not_of(whiteSpace, scanned); found != std::string::npos)
            return buffer_[found];
        if (buffer_.size() - used_ > longest) return std::nullopt;
        scanned = buffer_.size();
        const auto more = receive();
        if (!more || !*more) return std::nullopt;
    }
}

std::optional<std::string> LineReader::next(std::size_t longest) {
    for (auto scanned = used_;;) {
        if (const auto end = buffer_.find('\n', scanned); end != std::string::npos) {
            if (end - used_ > longest) return std::nullopt;
            auto line = buffer_.substr(used_, end - used_);
            used_ = end + 1;
            return line;
        }
        buffer_.erase(0, std::exchange(used_, 0));
        if (buffer_.size() > longest) return std::nullopt;
        scanned = buffer_.size();
        const auto more = receive();
        if (!more || (!*more && buffer_.empty())) return std::nullopt;
        if (!*more) return std::exchange(buffer_, {});
    }
}

Result<std::string> LineReader::piece() {
    buffer_.erase(0, std::exchange(used_, 0));
    if (buffer_.empty()) {
        if (const auto more = receive(); !more) return more.error();
    }
    return std::exchange(buffer_, {});
}

}  // namespace crnpd::control
