// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/runtime.h"

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <xercesc/framework/MemBufInputSource.hpp>
#include <xercesc/framework/XMLGrammarPoolImpl.hpp>
#include <xercesc/util/PlatformUtils.hpp>
#include <xercesc/util/XMLException.hpp>
#include <xercesc/util/XMLUni.hpp>
#include <xercesc/validators/schema/ComplexTypeInfo.hpp>
#include <xercesc/validators/schema/SchemaElementDecl.hpp>
#include <xercesc/validators/schema/SchemaGrammar.hpp>

#include "common/xml/parser.h"
#include "common/xml/schema_pool.h"
#include "crnpd_schemas.h"

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

// A locked pool may be read by all threads, but Xerces makes parts of a grammar only when a document first
// needs them, without a lock: what each type may contain, and the names and descriptions that its messages
// have. So all of them are made here, on one thread.
void completeType(xercesc::ComplexTypeInfo& type) {
    type.getContentModel();
    type.getFormattedContentModel();
}

void complete(xercesc::SchemaGrammar& grammar) {
    auto elements = grammar.getElemEnumerator();
    while (elements.hasMoreElements()) {
        auto& element = static_cast<xercesc::SchemaElementDecl&>(elements.nextElement());
        element.getFullName();
        element.getFormattedContentModel();
        if (auto* const type = element.getComplexTypeInfo()) completeType(*type);
    }
    xercesc::RefHashTableOfEnumerator<xercesc::ComplexTypeInfo> types(grammar.getComplexTypeRegistry());
    while (types.hasMoreElements())
        completeType(types.nextElement());
}

PooledSchema loadSchema(std::string_view schema, const char16_t* name) {
    auto pool = std::make_unique<xercesc::XMLGrammarPoolImpl>(xercesc::XMLPlatformUtils::fgMemoryManager);
    xercesc::SAX2XMLReaderImpl loader(xercesc::XMLPlatformUtils::fgMemoryManager, pool.get());
    FirstProblem problem;
    loader.setErrorHandler(&problem);
    loader.setFeature(xercesc::XMLUni::fgXercesSchemaFullChecking, true);
    loader.setFeature(xercesc::XMLUni::fgXercesDisableDefaultEntityResolution, true);
    const xercesc::MemBufInputSource source(reinterpret_cast<const XMLByte*>(schema.data()), schema.size(),
                                            name);
    auto* const grammar = loader.loadGrammar(source, xercesc::Grammar::SchemaGrammarType, true);
    if (grammar == nullptr || !problem.text.empty()) {
        throw std::runtime_error("the built-in schema " + utf8(name) + " cannot be read: " + problem.text);
    }
    complete(static_cast<xercesc::SchemaGrammar&>(*grammar));
    pool->lockPool();
    return {std::move(pool), name};
}

}  // namespace

Runtime::Schemas::Schemas() {
    xercesc::XMLPlatformUtils::Initialize();
    try {
        registration = loadSchema(registrationSchema, u"sc_callback_reg.xsd");
        event = loadSchema(eventSchema, u"sc_event.xsd");
    } catch (...) {
        registration.pool.reset();
        xercesc::XMLPlatformUtils::Terminate();
        throw;
    }
}

Runtime::Schemas::~Schemas() {
    registration.pool.reset();
    event.pool.reset();
    xercesc::XMLPlatformUtils::Terminate();
}

Runtime::Runtime() {
    ::unsetenv("XERCES_DISABLE_DTD");
    try {
        schemas_ = std::make_unique<Schemas>();
    } catch (const xercesc::XMLException& exception) {
        throw std::runtime_error("Xerces-C++ cannot be used: " + utf8(exception.getMessage()));
    }
}

Runtime::~Runtime() = default;

}  // namespace crnpd::xml
