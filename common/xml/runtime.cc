// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/runtime.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

#include <xercesc/framework/MemBufInputSource.hpp>
#include <xercesc/framework/XMLGrammarPoolImpl.hpp>
#include <xercesc/util/PlatformUtils.hpp>
#include <xercesc/util/XMLException.hpp>
#include <xercesc/util/XMLUni.hpp>

#include "common/xml/parser.h"
#include "common/xml/schema_pool.h"
#include "crnpd_registration_schema.h"

namespace crnpd::xml {
namespace {

class FirstProblem final : public xercesc::DefaultHandler {
public:
    void warning(const xercesc::SAXParseException& problem) override { keep(problem); }
    void error(const xercesc::SAXParseException& problem) override { keep(problem); }
    void fatalError(const xercesc::SAXParseException& problem) override { keep(problem); }
    std::string text;

private:
    void keep(const xercesc::SAXParseException& problem) {
        if (text.empty())
            text = "line " + std::to_string(problem.getLineNumber()) + ": " + utf8(problem.getMessage());
    }
};

void loadSchema(xercesc::XMLGrammarPool& pool) {
    xercesc::SAX2XMLReaderImpl loader(xercesc::XMLPlatformUtils::fgMemoryManager, &pool);
    FirstProblem problem;
    loader.setErrorHandler(&problem);
    loader.setFeature(xercesc::XMLUni::fgXercesSchemaFullChecking, true);
    loader.setFeature(xercesc::XMLUni::fgXercesDisableDefaultEntityResolution, true);
    const xercesc::MemBufInputSource source(reinterpret_cast<const XMLByte*>(registrationSchema.data()),
                                            registrationSchema.size(), schemaName);
    const auto* const grammar = loader.loadGrammar(source, xercesc::Grammar::SchemaGrammarType, true);
    if (grammar == nullptr || !problem.text.empty()) {
        throw std::runtime_error("the built-in schema of SC_CALLBACK_REG cannot be read: " + problem.text);
    }
    pool.lockPool();
}

}  // namespace

Runtime::Schema::Schema() {
    xercesc::XMLPlatformUtils::Initialize();
    try {
        pool = std::make_unique<xercesc::XMLGrammarPoolImpl>(xercesc::XMLPlatformUtils::fgMemoryManager);
        loadSchema(*pool);
    } catch (...) {
        pool.reset();
        xercesc::XMLPlatformUtils::Terminate();
        throw;
    }
}

Runtime::Schema::~Schema() {
    pool.reset();
    xercesc::XMLPlatformUtils::Terminate();
}

Runtime::Runtime() {
    ::unsetenv("XERCES_DISABLE_DTD");
    try {
        schema_ = std::make_unique<Schema>();
    } catch (const xercesc::XMLException& exception) {
        throw std::runtime_error("Xerces-C++ cannot be used: " + utf8(exception.getMessage()));
    }
}

Runtime::~Runtime() = default;

}  // namespace crnpd::xml
