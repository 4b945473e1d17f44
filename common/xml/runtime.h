// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Xerces from start to end, and the schemas of SC_CALLBACK_REG and SC_EVENT, which are built into the
// program, compiled once and then only read by all readers.
//
// Make one in main() before any thread that parses starts, and let it outlive every reader. It clears the
// environment variable XERCES_DISABLE_DTD: with it Xerces refuses every document that has a DOCTYPE,
// and section 3 of docs/protocol.md tolerates one that names an external identifier.
//
// Errors     The constructor throws std::runtime_error: without a parser there is no server.
// Threads    Made and destroyed by main(); read by any thread in between. Several may exist one after
//            another or nested (tests do that); the last one to go shuts Xerces down.
#pragma once

#include <memory>

namespace crnpd::xml {

class Runtime {
public:
    Runtime();
    ~Runtime();
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

private:
    friend class RegistrationReader;
    friend class EventReader;
    struct Schemas;
    std::unique_ptr<Schemas> schemas_;
};

}  // namespace crnpd::xml
