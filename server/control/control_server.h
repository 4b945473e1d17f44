// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The Unix socket over which crnpctl speaks to a running server, and over which any program publishes events.
// Who may connect is decided by the socket file's permissions (control.mode).
//
// Threads    One accepts, and each conversation has one of its own, because its operations wait for the
//            committer and its peer may be a pager that nobody scrolls. At most `mostConversations`
//            at once; others wait until one of these is over. start() and stop() are for the main thread.
// Errors     start(): busy if a live server has the socket, io for anything else; nothing is left behind
//            then. A socket file that a killed server has left behind is replaced. A conversation for
//            which there is no thread or memory is closed, and the log says so.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <list>
#include <thread>

#include "common/result.h"
#include "common/unique_fd.h"
#include "common/xml/runtime.h"
#include "server/control/event_document.h"
#include "server/control/line_reader.h"
#include "server/control/operations.h"

namespace crnpd::control {

class ControlServer {
public:
    static constexpr std::size_t mostConversations = 16;
    // An event as JSON has at most two bytes for each of a document that tells the same.
    static constexpr std::size_t longestRequest = 2 * longestDocument;
    // Of what may follow a request: a client with as many registrations as one message can carry.
    static constexpr std::size_t longestLine = 256U << 20U;
    // How long a peer may leave us waiting for its request, or its buffer full.
    static constexpr std::chrono::seconds patience{10};
    // Out of descriptors: how long those who connect wait before the next attempt.
    static constexpr std::chrono::milliseconds pauseTime{500};

    // How long a peer that was sent a reply may go on sending before its connection is cut.
    static constexpr std::chrono::seconds farewell{2};

    // Both must outlive it.
    ControlServer(Operations& operations, const xml::Runtime& runtime)
        : operations_(operations), runtime_(runtime) {}
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

    [[nodiscard]] Result<void> start(const std::filesystem::path& socket, mode_t mode);
    [[nodiscard]] bool isRunning() const noexcept { return static_cast<bool>(listener_); }
    // Ends the conversations and removes the socket file.
    void stop();

private:
    struct Conversation {
        UniqueFd fd;
        std::thread thread;
        std::atomic<bool> over{false};
    };

    [[nodiscard]] Result<void> listen(mode_t mode);
    void accept();
    void wakeAcceptor() noexcept;
    void begin(UniqueFd fd);
    void converse(Conversation& conversation);
    void answer(int fd);
    void answerDocument(int fd, LineReader& lines);
    void reap(bool all);

    Operations& operations_;
    const xml::Runtime& runtime_;
    std::filesystem::path path_;
    UniqueFd listener_;
    UniqueFd wake_;  // readable: a conversation is over, or it is to stop
    std::atomic<bool> stopping_{false};
    std::thread acceptor_;
    std::list<Conversation> conversations_;  // the acceptor's, and stop()'s after it
};

}  // namespace crnpd::control
