// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// The schema in the server against the DTD that is shipped: the reader's verdict on a document against that
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

    void expectSameVerdict(const std::string& document, bool valid) {
        EXPECT_EQ(isValidByDtd(document), valid) << document;
        EXPECT_EQ(isValidBySchema(document), valid) << document;
    }

    Runtime runtime_;
    RegistrationReader reader_{runtime_};
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

// Documents that grow out of the grammar, with a slip here and there.
class Grower {
public:
    explicit Grower(unsigned seed) : random_(seed) {}

    std::string document() { return element("SC_CALLBACK_REG", 0); }

private:
    bool slips() { return below(25) == 0; }
    unsigned below(unsigned limit) { return std::uniform_int_distribution<unsigned>(0, limit - 1)(random_); }

    std::string element(std::string name, int depth) {
        constexpr std::array names{"SC_CALLBACK_REG", "SC_EVENT_REG", "NVPAIR", "NAME", "VALUE", "OTHER"};
        if (slips()) name = names.at(below(names.size()));
        std::string out = "<" + name;
        for (const std::string attribute : {"PORT='1'", "REG_TYPE='ADD_CLIENT'", "CLASS='a'"}) {
            const bool ofRoot = attribute[0] != 'C';
            const bool belongs = ofRoot ? name == "SC_CALLBACK_REG" : name == "SC_EVENT_REG";
            if (belongs != slips()) out += " " + attribute;
        }
        if (name == "SC_EVENT_REG" && below(2) == 0) out += " SUBCLASS='b'";
        if (name == "SC_CALLBACK_REG" && below(2) == 0) out += slips() ? " VERSION='1.1'" : " VERSION='1.0'";
        return out + ">" + (depth > 5 ? "" : content(name, depth + 1)) + "</" + name + ">";
    }

    std::string content(const std::string& name, int depth) {
        std::string out;
        if (slips() || ((name == "NAME" || name == "VALUE") && below(2) == 0)) out += "text";
        if (below(4) == 0) out += " <!-- --> \n";
        if (name == "SC_CALLBACK_REG" || name == "SC_EVENT_REG") {
            for (unsigned i = below(3); i > 0; --i) {
                out += element(name == "SC_EVENT_REG" ? "NVPAIR" : "SC_EVENT_REG", depth);
            }
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
};

TEST_F(SchemaTest, AgreesWithTheDtdOnGrownDocuments) {
    unsigned valid = 0;
    constexpr unsigned documents = 3000;
    for (unsigned seed = 0; seed < documents; ++seed) {
        const std::string document = Grower(seed).document();
        const bool byDtd = isValidByDtd(document);
        ASSERT_EQ(isValidBySchema(document), byDtd) << "seed " << seed << ": " << document;
        if (byDtd) ++valid;
    }
    // Else the comparison would say nothing about one of the two verdicts.
    EXPECT_GT(valid, documents / 10);
    EXPECT_LT(valid, documents * 9 / 10);
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
    EXPECT_FALSE(isValidByDtd("<SC_REPLY STATUS_CODE='MAYBE'><SC_STATUS_MSG/></SC_REPLY>", "SC_REPLY",
                              "sc_reply.dtd"));
}

TEST_F(SchemaTest, HasADtdForEvents) {
    const std::string attributes =
        "VERSION='1.0' CLASS='EC_Cluster' SUBCLASS='ESC_cluster_rg_state' VENDOR='SUNW' ";
    const std::string pairs = "<NVPAIR><NAME>node_list</NAME><VALUE>a</VALUE><VALUE>b</VALUE></NVPAIR>";
    EXPECT_TRUE(isValidByDtd("<SC_EVENT " + attributes + "PUBLISHER='rgm'>" + pairs + "</SC_EVENT>",
                             "SC_EVENT", "sc_event.dtd"));
    EXPECT_FALSE(
        isValidByDtd("<SC_EVENT " + attributes + ">" + pairs + "</SC_EVENT>", "SC_EVENT", "sc_event.dtd"));
}

}  // namespace
}  // namespace crnpd::xml
