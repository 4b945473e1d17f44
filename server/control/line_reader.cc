// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/control/line_reader.h"

#include <array>
#include <utility>

#include <sys/socket.h>

namespace crnpd::control {
namespace {

constexpr std::size_t readSize = 65536;

}  // namespace

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
        std::array<char, readSize> piece;
        const auto length = ::recv(fd_, piece.data(), piece.size(), 0);
        if (length > 0) {
            buffer_.append(piece.data(), static_cast<std::size_t>(length));
        } else if (length < 0 || buffer_.empty()) {
            return std::nullopt;
        } else {
            return std::exchange(buffer_, {});
        }
    }
}

}  // namespace crnpd::control
