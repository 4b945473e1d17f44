// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/input_file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <istream>

#include <fmt/format.h>

namespace crnpd::crnpctl {
namespace {

constexpr std::size_t readSize = 65'536;

Result<std::string> readAll(std::istream& in, const std::string& name, std::size_t longest) {
    std::string bytes;
    std::array<char, readSize> piece;
    while (in.read(piece.data(), piece.size()) || in.gcount() > 0) {
        bytes.append(piece.data(), static_cast<std::size_t>(in.gcount()));
        if (bytes.size() > longest)
            return Error{ErrorCode::noSpace, fmt::format("{}: longer than {} MiB", name, longest >> 20U)};
    }
    if (in.bad()) return Error{ErrorCode::io, name + ": " + std::strerror(errno)};
    return bytes;
}

}  // namespace

std::string nameOfInput(const std::string& file) {
    return file == "-" ? "standard input" : file;
}

Result<std::string> readInput(const std::string& file, std::istream& in, std::size_t longest) {
    if (file == "-") return readAll(in, nameOfInput(file), longest);
    std::ifstream stream(file, std::ios::binary);
    if (!stream) return Error{ErrorCode::io, file + ": " + std::strerror(errno)};
    return readAll(stream, file, longest);
}

}  // namespace crnpd::crnpctl
