// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Where exceptions end: a call that must not throw, and the text of what was thrown.
//
// Threads    Any.
#pragma once

#include <exception>
#include <string>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "common/result.h"

namespace crnpd::etcd {

// "WHAT: the fault"; less where there is no memory for that.
[[nodiscard]] inline std::string textOf(const char* what, const std::exception& fault) noexcept {
    try {
        return fmt::format("{}: {}", what, fault.what());
    } catch (const std::exception&) {
        return "out of memory";  // short enough for a string that needs none
    }
}

// What `body` returns, a Result; what it throws (memory or threads that ran out) becomes an error with
// `code`.
template <typename Body>
[[nodiscard]] std::invoke_result_t<Body> guarded(ErrorCode code, const char* what, Body&& body) noexcept {
    try {
        return std::forward<Body>(body)();
    } catch (const std::exception& fault) {
        return Error{code, textOf(what, fault)};
    }
}

}  // namespace crnpd::etcd
