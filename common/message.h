// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The documents of the protocol as values: SC_CALLBACK_REG, SC_REPLY and SC_EVENT (sections 3, 5 and 6 of
// docs/protocol.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace crnpd {

// REG_TYPE
enum class RegistrationType { addClient, addEvents, removeClient, removeEvents };

// One VALUE is a scalar, several are an array. Names and values are never trimmed.
struct NvPair {
    std::string name;
    std::vector<std::string> values;

    friend auto operator<=>(const NvPair&, const NvPair&) = default;
};

// SC_EVENT_REG: which events a client wants.
struct EventRegistration {
    std::string eventClass;
    std::optional<std::string> subclass;
    // Sorted and without repetitions, see normalize(): two registrations with the same set of pairs are
    // the same (section 4), so after normalize() they compare equal.
    std::vector<NvPair> pairs;

    friend bool operator==(const EventRegistration&, const EventRegistration&) = default;
};

// Brings the pairs into the order in which equal sets compare equal. Every maker of an
// EventRegistration calls it once.
void normalize(EventRegistration& registration);

// SC_CALLBACK_REG
struct RegistrationMessage {
    RegistrationType type = RegistrationType::addClient;
    std::uint16_t port = 0;  // 1..65535
    std::vector<EventRegistration> events;

    friend bool operator==(const RegistrationMessage&, const RegistrationMessage&) = default;
};

// STATUS_CODE of SC_REPLY; section 5 says when each is sent.
enum class StatusCode {
    ok,
    retry,
    lowResource,
    systemError,
    fail,
    malformed,
    invalid,
    versionTooHigh,
    versionTooLow,
};

// SC_REPLY
struct Reply {
    StatusCode code = StatusCode::ok;
    std::string text;  // SC_STATUS_MSG, for a person

    friend bool operator==(const Reply&, const Reply&) = default;
};

// SC_EVENT: what happened. The pairs stay as they were published: a client may rely on the order in which
// node_list and state_list come; for matching they are a set.
struct Event {
    std::string eventClass;
    std::string subclass;
    std::string vendor;
    std::string publisher;
    std::vector<NvPair> pairs;  // each with at least one value

    friend bool operator==(const Event&, const Event&) = default;
};

// Whether a registration asks for an event (section 6, "Matching"): the class is equal, the subclass is
// equal or absent in the registration, and every pair of the registration occurs in the event, value lists
// compared in order.
[[nodiscard]] bool asksFor(const EventRegistration& registration, const Event& event) noexcept;

// As written in the documents: "ADD_CLIENT", "LOW_RESOURCE".
[[nodiscard]] std::string_view name(RegistrationType type) noexcept;
[[nodiscard]] std::string_view name(StatusCode code) noexcept;

[[nodiscard]] std::optional<RegistrationType> registrationTypeNamed(std::string_view name) noexcept;
// Also takes LOW_RESOURCES and INVALID_XML, the spellings of the old DTD's comment.
[[nodiscard]] std::optional<StatusCode> statusCodeNamed(std::string_view name) noexcept;

}  // namespace crnpd
