// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Where members of etcd are, and what proves who is who.
//
// Errors     invalidArgument: the text cannot be an endpoint. io, invalidArgument (readTls): a file that
//            cannot be read or holds no PEM.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"

namespace crnpd::etcd {

struct Endpoint {
    std::string target;  // "10.0.0.1:2379", as gRPC and people read it
    bool isSecure = false;
};

// "host:port", "[address]:port", "http://host:port" or "https://host:port". Without a scheme it is secure if
// `secureByDefault`.
[[nodiscard]] Result<Endpoint> parseEndpoint(std::string_view text, bool secureByDefault);

// PEM. Empty: the system's authorities; no certificate of our own.
struct Tls {
    std::string ca;
    std::string certificate;
    std::string key;

    [[nodiscard]] bool isWanted() const noexcept { return !ca.empty() || !certificate.empty(); }
};

// Paths; empty ones stay empty.
[[nodiscard]] Result<Tls> readTls(const std::string& caFile, const std::string& certificateFile,
                                  const std::string& keyFile);

}  // namespace crnpd::etcd
