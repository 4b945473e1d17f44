// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The compiled schemas that all readers share. Inside this folder only.
#pragma once

#include <memory>

#include <xercesc/framework/XMLGrammarPool.hpp>

#include "common/xml/runtime.h"

namespace crnpd::xml {

// One schema and the name under which its pool knows it. The pool is locked: any thread may read it. Each
// schema has a pool of its own, because neither has a namespace, by which a pool tells grammars apart.
struct PooledSchema {
    std::unique_ptr<xercesc::XMLGrammarPool> pool;
    const char16_t* name = nullptr;
};

// Holds Xerces open.
struct Runtime::Schemas {
    Schemas();
    ~Schemas();
    Schemas(const Schemas&) = delete;
    Schemas& operator=(const Schemas&) = delete;

    PooledSchema registration;  // SC_CALLBACK_REG
    PooledSchema event;         // SC_EVENT
};

}  // namespace crnpd::xml
