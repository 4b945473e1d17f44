// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Collects an SC_CALLBACK_REG, see collector.h. Inside this folder only.
//
// Errors     As a Collector's; noSpace also where a message has more registrations than the limit.
// Threads    One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/message.h"
#include "common/xml/collector.h"
#include "common/xml/registration_reader.h"

namespace crnpd::xml {

// Decimal, 1..65535, digits only; leading zeros are harmless.
[[nodiscard]] std::optional<std::uint16_t> portIn(std::u16string_view text) noexcept;

class RegistrationCollector final : public Collector {
public:
    using Value = RegistrationMessage;
    using Limits = ReaderLimits;

    explicit RegistrationCollector(const PooledSchema& schema) : Collector(schema, 3) {}

    [[nodiscard]] Result<RegistrationMessage> read(std::string_view document, const Prolog& prolog,
                                                   const ReaderLimits& limits);

private:
    void onOpened(std::size_t level, const Attributes& attributes, std::size_t count) override;
    void onClosed(std::size_t level) override;
    std::vector<NvPair>& pairs() override { return message_.events.back().pairs; }

    void readRoot(const Attributes& attributes, std::size_t count);
    void readEvent(const Attributes& attributes, std::size_t count);

    ReaderLimits limits_;
    RegistrationMessage message_;
};

}  // namespace crnpd::xml
