// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// One place where log lines go: the journal, standard error or a file.
//
// Promise    A reader that takes nothing (a frozen journal, a full pipe) costs its lines, not time. Only a
//            file on a disk that does not answer can hold write() up.
// Threads    write() is the logging thread's; openTarget() anybody's.
#pragma once

#include <memory>

#include <spdlog/details/log_msg.h>

#include "common/result.h"
#include "server/logging/logging.h"

namespace crnpd::logging {

class LogTarget {
public:
    virtual ~LogTarget() = default;
    // False: the line is lost.
    [[nodiscard]] virtual bool write(const spdlog::details::log_msg& message) = 0;
};

// What `options` name. io: the file cannot be opened.
[[nodiscard]] Result<std::shared_ptr<LogTarget>> openTarget(const Options& options);

}  // namespace crnpd::logging
