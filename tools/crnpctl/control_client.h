// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Speaks to a running server over its control socket: one line of JSON as the request, lines of JSON until
// the end of file as the answer.
//
// Threads    One object, one thread; the calls block, for at most the time limit between two bytes of the
//            server.
// Errors     The texts are for a person and name the path: io where there is no server or no whole answer,
//            invalidArgument for a path that no socket can have. A refusal is a line like any other here; see
//            control_answers.h.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/unique_fd.h"

namespace crnpd::crnpctl {

struct ControlOptions {
    std::string socket = "/run/crnpd/control.sock";
    std::chrono::milliseconds timeout{10'000};
    bool json = false;
};

class ControlClient {
public:
    static constexpr std::size_t mostBuffered = 1U << 30U;  // in bytes: ten million clients' lines

    // Connects and sends `request`, a line without its line feed.
    static Result<ControlClient> ask(const ControlOptions& options, std::string_view request);

    // Sends what follows a request. False: the server reads no more; its answer says why.
    [[nodiscard]] bool send(std::string_view bytes);

    // Takes the whole answer into memory, so that the server does not wait for whoever reads our output: it
    // would lose its patience with a pager. What goes wrong is told by nextLine(), behind the lines that
    // came.
    void readAhead();

    // The answer's next line without its line feed; nothing at the end of file.
    [[nodiscard]] Result<std::optional<std::string>> nextLine();

private:
    ControlClient(UniqueFd socket, std::string path) : socket_(std::move(socket)), path_(std::move(path)) {}

    [[nodiscard]] bool read();

    UniqueFd socket_;
    std::string path_;
    bool atEnd_ = false;
    std::string problem_;  // why there was no orderly end
    std::string buffer_;
    std::size_t used_ = 0;     // bytes of buffer_ that were returned
    std::size_t scanned_ = 0;  // bytes of buffer_ that are known to hold no further line feed
};

}  // namespace crnpd::crnpctl
