// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The stored form of registrations: arbitrary bytes never crash the decoder, and what it takes is what the
// encoder writes, so that a damaged record is never taken for another one.
#include "common/registration_codec.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto record = crnpd::fuzz::textOf(data, size);
    const auto registrations = crnpd::decodeRegistrations(record);
    const std::size_t count = crnpd::countRegistrations(record);
    if (!registrations) return 0;
    crnpd::fuzz::require(crnpd::encodeRegistrations(*registrations) == record,
                         "a decoded record is encoded the same");
    crnpd::fuzz::require(count == registrations->size(),
                         "the count of a record is that of its registrations");
    return 0;
}
