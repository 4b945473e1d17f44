// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The stored form of an event: arbitrary bytes never crash the decoder, and what it takes is what the
// encoder writes, so that a damaged record is never taken for another event.
#include "common/event_codec.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto record = crnpd::fuzz::textOf(data, size);
    if (const auto event = crnpd::decodeEvent(record)) {
        crnpd::fuzz::require(crnpd::encodeEvent(*event) == record, "a decoded record is encoded the same");
    }
    return 0;
}
