// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A value or the reason why there is none.
//
// Whatever a healthy day brings (bad XML, a full disk, a client that hangs up) travels as a Result;
// exceptions are for start-up and stay inside the folder that wraps the throwing library. The names
// are those of std::expected, which g++ 12 lacks in C++20 mode.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace crnpd {

enum class ErrorCode {
    // A document: see section 5 of docs/protocol.md, the reply codes of the same names.
    malformed,
    invalid,
    versionTooHigh,
    versionTooLow,
    // Anything else.
    invalidArgument,  // a setting or an argument does not mean what it must
    notFound,
    busy,        // somebody else has it at the moment; a repetition can help
    noSpace,     // disk full, out of memory, a limit of ours reached
    io,          // the operating system or the storage failed
    damaged,     // the content cannot be what we wrote
    foreign,     // written by another program or a newer version of this one
    cancelled,   // we were told to stop
    superseded,  // another server leads by now: what we know may be true no more
};

struct Error {
    ErrorCode code;
    std::string text;   // for a person: what happened, to whom, what to do
    unsigned line = 0;  // in the document or file at fault; 0 where that means nothing

    friend bool operator==(const Error&, const Error&) = default;
};

template <typename T>
class [[nodiscard]] Result {
public:
    using value_type = T;

    // Implicit, so that a function returns a value or an Error as it stands.
    // NOLINTNEXTLINE(google-explicit-constructor)
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    // NOLINTNEXTLINE(google-explicit-constructor)
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    [[nodiscard]] T& value() & { return held(); }
    [[nodiscard]] const T& value() const& { return held(); }
    [[nodiscard]] T&& value() && { return std::move(held()); }
    T& operator*() & { return held(); }
    const T& operator*() const& { return held(); }
    T&& operator*() && { return std::move(held()); }
    T* operator->() { return &held(); }
    const T* operator->() const { return &held(); }

    [[nodiscard]] const Error& error() const {
        assert(!has_value());
        return *std::get_if<1>(&state_);
    }

private:
    T& held() {
        assert(has_value());
        return *std::get_if<0>(&state_);
    }
    const T& held() const {
        assert(has_value());
        return *std::get_if<0>(&state_);
    }

    std::variant<T, Error> state_;
};

// Done, or the reason why not.
template <>
class [[nodiscard]] Result<void> : public Result<std::monostate> {
public:
    Result() : Result<std::monostate>(std::monostate{}) {}
    // NOLINTNEXTLINE(google-explicit-constructor)
    Result(Error error) : Result<std::monostate>(std::move(error)) {}
};

}  // namespace crnpd
