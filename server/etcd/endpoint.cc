// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/endpoint.h"

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <system_error>

#include <fmt/format.h>

namespace crnpd::etcd {
namespace {

bool isPort(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size() && port != 0;
}

Result<void> readPem(const std::string& path, std::string& into) {
    if (path.empty()) return {};
    errno = 0;
    const std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    if (file) content << file.rdbuf();
    if (!file || !content)
        return Error{ErrorCode::io,
                     fmt::format("{}: cannot be read: {}", path, std::generic_category().message(errno))};
    into = std::move(content).str();
    if (into.find("-----BEGIN ") == std::string::npos)
        return Error{ErrorCode::invalidArgument, fmt::format("{}: holds nothing in PEM format", path)};
    return {};
}

}  // namespace

Result<Endpoint> parseEndpoint(std::string_view text, bool secureByDefault) {
    auto rest = text;
    Endpoint endpoint{{}, secureByDefault};
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!rest.starts_with(scheme)) continue;
        rest.remove_prefix(scheme.size());
        endpoint.isSecure = scheme == "https://";
    }
    if (rest.ends_with('/')) rest.remove_suffix(1);
    const auto colon = rest.rfind(':');
    const auto host = rest.substr(0, colon);
    const bool isBracketed = host.starts_with('[') && host.ends_with(']');
    if (colon == std::string_view::npos || host.empty() || !isPort(rest.substr(colon + 1)) ||
        host.find('/') != std::string_view::npos ||
        (!isBracketed && host.find(':') != std::string_view::npos))
        return Error{ErrorCode::invalidArgument,
                     fmt::format("'{}' is no endpoint of etcd: write host:port, or https://host:port", text)};
    endpoint.target = rest;
    return endpoint;
}

Result<Tls> readTls(const std::string& caFile, const std::string& certificateFile,
                    const std::string& keyFile) {
    if (certificateFile.empty() != keyFile.empty())
        return Error{ErrorCode::invalidArgument, "a certificate and its key are needed both, or neither"};
    Tls tls;
    if (auto read = readPem(caFile, tls.ca); !read) return read.error();
    if (auto read = readPem(certificateFile, tls.certificate); !read) return read.error();
    if (auto read = readPem(keyFile, tls.key); !read) return read.error();
    return tls;
}

}  // namespace crnpd::etcd
