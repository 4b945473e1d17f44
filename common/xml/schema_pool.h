// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The compiled schema that all readers share. Inside this folder only.
#pragma once

#include <memory>

#include <xercesc/framework/XMLGrammarPool.hpp>

#include "common/xml/runtime.h"

namespace crnpd::xml {

// Holds Xerces open. The pool is locked: any thread may read it.
struct Runtime::Schema {
    Schema();
    ~Schema();
    Schema(const Schema&) = delete;
    Schema& operator=(const Schema&) = delete;

    std::unique_ptr<xercesc::XMLGrammarPool> pool;
};

}  // namespace crnpd::xml
