// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The schemas in the server against the DTDs that are shipped: a reader's verdict on a document against that
// of a DTD-validating parser. What a DTD cannot say stands at the end.
#include <array>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <xercesc/framework/MemBufInputSource.hpp>
#include <xercesc/parsers/SAX2XMLReaderImpl.hpp>
#include <xercesc/sax2/DefaultHandler.hpp>
#include <xercesc/util/XMLUni.hpp>

#include "common/xml/event_reader.h"
#include "common/xml/event_writer.h"
#include "common/xml/registration_reader.h"
#include "common/xml/registration_writer.h"
#include "common/xml/reply.h"
#include "tests/unit/common/xml/documents.h"

namespace crnpd::xml {
namespace {

std::string contentOf(const std::string& name) {
    std::ifstream file(std::string(CRNPD_SCHEMAS) + "/" + name);
    EXPECT_TRUE(file) << name;
    std::ostringstream content;
    content << file.rdbuf();
    return content.str();
}

class Complaints final : public xercesc::DefaultHandler {
public:
    void error(const xercesc::SAXParseException& /*problem*/) override { ++count; }
    void fatalError(const xercesc::SAXParseException& /*problem*/) override { ++count; }
    int count = 0;
};

// `document` has no DOCTYPE of its own and no XML declaration. Ours is made its internal subset, because
// Debian's Xerces loses some memory over each external one.
bool isValidByDtd(const std::string& document, const std::string& root = "SC_CALLBACK_REG",
                  const std::string& name = "sc_callback_reg.dtd") {
    Complaints complaints;
    xercesc::SAX2XMLReaderImpl parser;
    parser.setFeature(xercesc::XMLUni::fgSAX2CoreNameSpaces, false);
    parser.setFeature(xercesc::XMLUni::fgSAX2CoreValidation, true);
    parser.setFeature(xercesc::XMLUni::fgXercesDynamic, false);
    parser.setFeature(xercesc::XMLUni::fgXercesSchema, false);
    parser.setErrorHandler(&complaints);
    const std::string whole = "<!DOCTYPE " + root + " [" + contentOf(name) + "]>" + document;
    const xercesc::MemBufInputSource source(reinterpret_cast<const XMLByte*>(whole.data()), whole.size(),
                                            u"text");
    parser.parse(source);
    return complaints.count == 0;
}

class SchemaTest : public testing::Test {
protected:
    bool isValidBySchema(const std::string& document) { return reader_.parse(document).has_value(); }

    bool isValidEventBySchema(const std::string& document) { return events_.parse(document).has_value(); }

    void expectSameVerdict(const std::string& document, bool valid) {
        EXPECT_EQ(isValidByDtd(document), valid) << document;
        EXPECT_EQ(isValidBySchema(document), valid) << document;
    }
    void expectSameVerdictOnEvent(const std::string& document, bool valid) {
        EXPECT_EQ(isValidByDtd(document, "SC_EVENT", "sc_event.dtd"), valid) << document;
        EXPECT_EQ(isValidEventBySchema(document), valid) << document;
    }

    Runtime runtime_;
    RegistrationReader reader_{runtime_};
    EventReader events_{runtime_};
};

TEST_F(SchemaTest, AgreesWithTheDtdOnElements) {
    using test::eventWith;
    using test::pairWith;
    using test::registrationWith;
    for (const auto& valid : {registrationWith(""), registrationWith(" \n<!-- --> <?p?> "),
                              registrationWith("<SC_EVENT_REG CLASS=''/>"), eventWith(""), eventWith("  "),
                              pairWith("<NAME/><VALUE/>"), pairWith(" <NAME>a</NAME> <VALUE>b</VALUE> "),
                              pairWith("<NAME/><VALUE/><VALUE/><VALUE/>"),
                              pairWith("<NAME><![CDATA[<]]>&amp;</NAME><VALUE> </VALUE>")}) {
        expectSameVerdict(valid, true);
    }
    for (const auto& invalid :
         {registrationWith("x"), registrationWith("<![CDATA[x]]>"), registrationWith("<X/>"),
          registrationWith("<NVPAIR/>"), registrationWith(registrationWith("")), eventWith("x"),
          eventWith("<NAME/>"), eventWith("<NVPAIR/>"), eventWith("<SC_EVENT_REG CLASS='a'/>"),
          pairWith("<NAME/>"), pairWith("<VALUE/>"), pairWith("<VALUE/><NAME/>"),
          pairWith("<NAME/><NAME/><VALUE/>"), pairWith("<NAME/><VALUE/><NAME/>"),
          pairWith("x<NAME/><VALUE/>"), pairWith("<NAME><X/></NAME><VALUE/>"),
          pairWith("<NAME/><VALUE><NAME/></VALUE>"), std::string("<SC_REPLY/>"),
          std::string("<SC_EVENT_REG CLASS='a'/>")}) {
        expectSameVerdict(invalid, false);
    }
}

TEST_F(SchemaTest, AgreesWithTheDtdOnAttributes) {
    const auto root = [](const std::string& attributes) { return test::registrationWith("", attributes); };
    const auto event = [](const std::string& attributes) {
        return test::registrationWith("<SC_EVENT_REG " + attributes + "/>");
    };
    for (const auto& valid :
         {root("PORT='1' REG_TYPE='ADD_CLIENT'"), root("REG_TYPE='ADD_EVENTS' VERSION='1.0' PORT='1'"),
          root("PORT='1' REG_TYPE=' REMOVE_CLIENT '"),
          root("PORT='1' REG_TYPE='REMOVE_EVENTS' VERSION='\n1.0 '"), event("CLASS=''"),
          event("SUBCLASS='a' CLASS='b'"), event("CLASS=' a  b '")}) {
        expectSameVerdict(valid, true);
    }
    for (const auto& invalid : {root(""),
                                root("PORT='1'"),
                                root("REG_TYPE='ADD_CLIENT'"),
                                root("PORT='1' REG_TYPE=''"),
                                root("PORT='1' REG_TYPE='add_client'"),
                                root("PORT='1' REG_TYPE='ADD CLIENT'"),
                                root("PORT='1' REG_TYPE='ADD_CLIENT' VERSION='1'"),
                                root("PORT='1' REG_TYPE='ADD_CLIENT' VERSION=''"),
                                root("PORT='1' REG_TYPE='ADD_CLIENT' VERSION='1.00'"),
                                root("PORT='1' REG_TYPE='ADD_CLIENT' VERSION='2.0'"),
                                root("PORT='1' REG_TYPE='ADD_CLIENT' VERSION='1 .0'"),
                                root("PORT='1' REG_TYPE='ADD_CLIENT' X=''"),
                                root("PORT='1' REG_TYPE='ADD_CLIENT' xmlns='a'"),
                                root("PORT='1' REG_TYPE='ADD_CLIENT' xmlns:a='b'"),
                                root("PORT='1' REG_TYPE='ADD_CLIENT' xml:lang='en'"),
                                event(""),
                                event("SUBCLASS='a'"),
                                event("CLASS='a' class='b'"),
                                event("CLASS='a' VERSION='1.0'"),
                                test::pairWith("<NAME a=''/><VALUE/>"),
                                test::eventWith("<NVPAIR CLASS=''><NAME/><VALUE/></NVPAIR>")}) {
        expectSameVerdict(invalid, false);
    }
}

// Documents that grow out of one of the two grammars, with a slip here and there.
class Grower {
public:
    Grower(unsigned seed, std::string root) : random_(seed), root_(std::move(root)) {}

    std::string document() { return element(root_, 0); }

private:
    struct Attribute {
        const char* element;
        const char* text;
    };

    bool slips() { return below(25) == 0; }
    unsigned below(unsigned limit) { return std::uniform_int_distribution<unsigned>(0, limit - 1)(random_); }
    // The element that has the pairs.
    [[nodiscard]] std::string pairsIn() const { return root_ == "SC_EVENT" ? root_ : "SC_EVENT_REG"; }

    std::string attributes(const std::string& name) {
        static constexpr std::array required{
            Attribute{"SC_CALLBACK_REG", " PORT='1'"}, Attribute{"SC_CALLBACK_REG", " REG_TYPE='ADD_CLIENT'"},
            Attribute{"SC_EVENT_REG", " CLASS='a'"},   Attribute{"SC_EVENT", " CLASS='a'"},
            Attribute{"SC_EVENT", " SUBCLASS='b'"},    Attribute{"SC_EVENT", " VENDOR=''"},
            Attribute{"SC_EVENT", " PUBLISHER='c'"}};
        std::string out;
        for (const auto& [element, text] : required) {
            if (name == element && !slips()) out += text;
        }
        if (slips()) out += name == "SC_CALLBACK_REG" ? " CLASS='a'" : " PORT='1'";
        if (name == "SC_EVENT_REG" && below(2) == 0) out += " SUBCLASS='b'";
        if (name == root_ && below(2) == 0) out += slips() ? " VERSION='1.1'" : " VERSION='1.0'";
        return out;
    }

    std::string element(std::string name, int depth) {
        constexpr std::array names{"SC_CALLBACK_REG", "SC_EVENT_REG", "SC_EVENT", "NVPAIR", "NAME",
                                   "VALUE",           "OTHER"};
        if (slips()) name = names.at(below(names.size()));
        return "<" + name + attributes(name) + ">" + (depth > 5 ? "" : content(name, depth + 1)) + "</" +
               name + ">";
    }

    std::string content(const std::string& name, int depth) {
        std::string out;
        if (slips() || ((name == "NAME" || name == "VALUE") && below(2) == 0)) out += "text";
        if (below(4) == 0) out += " <!-- --> \n";
        if (name == root_ || name == "SC_EVENT_REG") {
            for (unsigned i = below(3); i > 0; --i)
                out += element(name == pairsIn() ? "NVPAIR" : "SC_EVENT_REG", depth);
        }
        if (name == "NVPAIR") {
            if (!slips()) out += element("NAME", depth);
            for (unsigned i = slips() ? 0 : 1 + below(3); i > 0; --i)
                out += element("VALUE", depth);
            if (slips()) out += element("NAME", depth);
        }
        return out;
    }

    std::mt19937 random_;
    std::string root_;
};

// Else a comparison would say nothing about one of the two verdicts.
void expectBothVerdicts(unsigned valid, unsigned documents) {
    EXPECT_GT(valid, documents / 10);
    EXPECT_LT(valid, documents * 9 / 10);
}

constexpr unsigned grownDocuments = 3000;

TEST_F(SchemaTest, AgreesWithTheDtdOnGrownDocuments) {
    unsigned valid = 0;
    for (unsigned seed = 0; seed < grownDocuments; ++seed) {
        const std::string document = Grower(seed, "SC_CALLBACK_REG").document();
        const bool byDtd = isValidByDtd(document);
        ASSERT_EQ(isValidBySchema(document), byDtd) << "seed " << seed << ": " << document;
        if (byDtd) ++valid;
    }
    expectBothVerdicts(valid, grownDocuments);
}

TEST_F(SchemaTest, AgreesWithTheDtdOnGrownEvents) {
    unsigned valid = 0;
    for (unsigned seed = 0; seed < grownDocuments; ++seed) {
        const std::string document = Grower(seed, "SC_EVENT").document();
        const bool byDtd = isValidByDtd(document, "SC_EVENT", "sc_event.dtd");
        ASSERT_EQ(isValidEventBySchema(document), byDtd) << "seed " << seed << ": " << document;
        if (byDtd) ++valid;
    }
    expectBothVerdicts(valid, grownDocuments);
}

TEST_F(SchemaTest, IsStricterThanADtdCanBeOnPorts) {
    for (const auto* port : {"0", "65536", "http", ""}) {
        const auto document =
            test::registrationWith("", "REG_TYPE='ADD_CLIENT' PORT='" + std::string(port) + "'");
        EXPECT_TRUE(isValidByDtd(document)) << port;
        EXPECT_FALSE(isValidBySchema(document)) << port;
    }
}

TEST_F(SchemaTest, LetsTheDtdsHoldForWhatIsWritten) {
    const auto withoutDeclaration = [](const std::string& document) {
        return document.substr(document.find("?>") + 2);
    };
    const RegistrationMessage message{RegistrationType::addEvents, 9, {{"a", "b", {{"n", {"v", "w"}}}}}};
    EXPECT_TRUE(isValidByDtd(withoutDeclaration(writeRegistration(message))));
    using enum StatusCode;
    for (const auto code :
         {ok, retry, lowResource, systemError, fail, malformed, invalid, versionTooHigh, versionTooLow}) {
        const auto reply = withoutDeclaration(writeReply({code, "text"}));
        EXPECT_TRUE(isValidByDtd(reply, "SC_REPLY", "sc_reply.dtd")) << reply;
    }
    const auto event = withoutDeclaration(writeEvent({"c", "s", "v", "p", {{"n", {"<\n", ""}}}}));
    EXPECT_TRUE(isValidByDtd(event, "SC_EVENT", "sc_event.dtd")) << event;
    EXPECT_FALSE(isValidByDtd("<SC_REPLY STATUS_CODE='MAYBE'><SC_STATUS_MSG/></SC_REPLY>", "SC_REPLY",
                              "sc_reply.dtd"));
}

TEST_F(SchemaTest, AgreesWithTheDtdOnTheElementsOfAnEvent) {
    const auto pair = [](const std::string& content) {
        return test::event("<NVPAIR>" + content + "</NVPAIR>");
    };
    for (const auto& valid :
         {test::event(""), test::event(" \n<!-- --> <?p?> "), pair("<NAME/><VALUE/>"),
          pair(" <NAME>a</NAME> <VALUE>b</VALUE><VALUE>c</VALUE> "),
          test::event("<NVPAIR><NAME/><VALUE/></NVPAIR><NVPAIR><NAME/><VALUE/></NVPAIR>")}) {
        expectSameVerdictOnEvent(valid, true);
    }
    for (const auto& invalid :
         {test::event("x"), test::event("<![CDATA[x]]>"), test::event("<NAME/>"),
          test::event(test::event("")), test::event("<SC_EVENT_REG CLASS='a'/>"), pair(""), pair("<NAME/>"),
          pair("<VALUE/><NAME/>"), pair("<NAME/><NAME/><VALUE/>"), pair("<NAME/><VALUE/><NVPAIR/>"),
          pair("<NAME><X/></NAME><VALUE/>"),
          std::string(test::usualMessage.substr(test::usualMessage.find("?>") + 2)),
          std::string("<NVPAIR><NAME/><VALUE/></NVPAIR>")}) {
        expectSameVerdictOnEvent(invalid, false);
    }
}

TEST_F(SchemaTest, AgreesWithTheDtdOnTheAttributesOfAnEvent) {
    const auto with = [](const std::string& attributes) { return "<SC_EVENT " + attributes + "/>"; };
    const std::string all = "CLASS='c' SUBCLASS='s' VENDOR='v' PUBLISHER='p'";
    for (const auto& valid : {with(all), with("VERSION='1.0' " + all), with(all + " VERSION=' 1.0\n'"),
                              with("PUBLISHER='' VENDOR=' a  b ' SUBCLASS='' CLASS=''")}) {
        expectSameVerdictOnEvent(valid, true);
    }
    for (const auto& invalid :
         {with(""), with("SUBCLASS='s' VENDOR='v' PUBLISHER='p'"), with("CLASS='c' VENDOR='v' PUBLISHER='p'"),
          with("CLASS='c' SUBCLASS='s' PUBLISHER='p'"), with("CLASS='c' SUBCLASS='s' VENDOR='v'"),
          with(all + " VERSION='1.1'"), with(all + " VERSION=''"), with(all + " PORT='1'"),
          with(all + " xmlns='a'"), with(all + " xmlns:a='b'"), with(all + " xml:lang='en'"),
          test::event("<NVPAIR CLASS=''><NAME/><VALUE/></NVPAIR>")}) {
        expectSameVerdictOnEvent(invalid, false);
    }
}

}  // namespace
}  // namespace crnpd::xml
