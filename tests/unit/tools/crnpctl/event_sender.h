// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The server's side of a delivery, and a way to tell a command to stop.
#pragma once

#include <string>

#include "common/address.h"
#include "common/unique_fd.h"

namespace crnpd::crnpctl {

// One connection to a client's callback port.
class EventSender {
public:
    // Connects; a failure fails the test.
    explicit EventSender(const SocketAddress& client);

    void write(const std::string& bytes);
    void endOfFile();
    void resetNow();
    void deliver(const std::string& document);

    enum class End { acknowledged, reset };
    // Waits for the client's end.
    [[nodiscard]] End end();

private:
    UniqueFd socket_;
    bool broken_ = false;  // a write told of the reset; the system tells it only once
};

// A descriptor as Process::stop hands it out.
class StopPipe {
public:
    StopPipe();
    [[nodiscard]] int fd() const noexcept { return reader_.fd(); }
    void tell();

private:
    UniqueFd reader_;
    UniqueFd writer_;
};

}  // namespace crnpd::crnpctl
