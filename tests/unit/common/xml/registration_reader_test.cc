// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What the reader accepts, and what it makes of it.
#include "common/xml/registration_reader.h"

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/common/xml/documents.h"

namespace crnpd::xml {
namespace {

using test::eventWith;
using test::pairWith;
using test::registrationWith;
using testing::ElementsAre;
using testing::HasSubstr;

class RegistrationReaderTest : public testing::Test {
protected:
    RegistrationMessage accepted(std::string_view document) {
        auto message = reader_.parse(document);
        if (message) return *std::move(message);
        ADD_FAILURE() << document << ": " << message.error().text;
        return {};
    }
    bool accepts(std::string_view document) { return reader_.parse(document).has_value(); }

    // The only VALUE of the only pair.
    std::string valueOf(std::string_view content) {
        const auto message = accepted(pairWith("<NAME>n</NAME><VALUE>" + std::string(content) + "</VALUE>"));
        if (message.events.empty()) return "(refused)";
        return message.events.at(0).pairs.at(0).values.at(0);
    }
    std::string classOf(std::string_view attribute) {
        const auto message =
            accepted(registrationWith("<SC_EVENT_REG CLASS='" + std::string(attribute) + "'/>"));
        return message.events.empty() ? "(refused)" : message.events.at(0).eventClass;
    }

    Runtime runtime_;
    RegistrationReader reader_{runtime_};
};

TEST_F(RegistrationReaderTest, ReadsWhatTheSampleClientSends) {
    const auto message = accepted(test::usualMessage);
    EXPECT_EQ(message.type, RegistrationType::addClient);
    EXPECT_EQ(message.port, 2001);
    EXPECT_THAT(
        message.events,
        ElementsAre(EventRegistration{"EC_Cluster", "ESC_cluster_membership", {}},
                    EventRegistration{"EC_Cluster", "ESC_cluster_rg_state", {{"rg_name", {"web-rg"}}}}));
    EXPECT_EQ(accepted(test::leavingMessage).type, RegistrationType::removeClient);
}

TEST_F(RegistrationReaderTest, KnowsEveryRegType) {
    for (const auto type : {RegistrationType::addClient, RegistrationType::addEvents,
                            RegistrationType::removeClient, RegistrationType::removeEvents}) {
        const std::string attributes = "PORT='1' REG_TYPE='" + std::string(name(type)) + "'";
        EXPECT_EQ(accepted(registrationWith("", attributes)).type, type);
    }
}

TEST_F(RegistrationReaderTest, TakesAttributesInAnyOrderAndVersionAsWellAsItsAbsence) {
    for (const std::string_view attributes :
         {"PORT='7' REG_TYPE='ADD_CLIENT' VERSION='1.0'", "VERSION='1.0' REG_TYPE=\"ADD_CLIENT\" PORT=\"7\"",
          "REG_TYPE='ADD_CLIENT' PORT='7'"}) {
        EXPECT_EQ(accepted(registrationWith("", attributes)).port, 7) << attributes;
    }
}

TEST_F(RegistrationReaderTest, TrimsTheTokensVersionAndRegType) {
    EXPECT_TRUE(accepts(registrationWith("", "PORT='1' REG_TYPE=' ADD_CLIENT\n' VERSION='\t1.0 '")));
}

TEST_F(RegistrationReaderTest, TakesPortsFrom1To65535) {
    EXPECT_EQ(accepted(registrationWith("", "PORT='1' REG_TYPE='ADD_CLIENT'")).port, 1);
    EXPECT_EQ(accepted(registrationWith("", "PORT='65535' REG_TYPE='ADD_CLIENT'")).port, 65535);
    EXPECT_EQ(accepted(registrationWith("", "PORT='0080' REG_TYPE='ADD_CLIENT'")).port, 80);
}

TEST_F(RegistrationReaderTest, TellsAnAbsentSubclassFromAnEmptyOne) {
    const auto message =
        accepted(registrationWith("<SC_EVENT_REG CLASS='c'/><SC_EVENT_REG CLASS='c' SUBCLASS=''/>"));
    EXPECT_EQ(message.events.at(0).subclass, std::nullopt);
    EXPECT_EQ(message.events.at(1).subclass, "");
}

TEST_F(RegistrationReaderTest, ReadsSeveralValuesInTheirOrder) {
    const auto message = accepted(pairWith("<NAME>n</NAME><VALUE>b</VALUE><VALUE>a</VALUE><VALUE>b</VALUE>"));
    EXPECT_THAT(message.events.at(0).pairs, ElementsAre(NvPair{"n", {"b", "a", "b"}}));
}

TEST_F(RegistrationReaderTest, BringsThePairsIntoTheirOrder) {
    const auto message = accepted(eventWith(
        "<NVPAIR><NAME>z</NAME><VALUE>1</VALUE></NVPAIR><NVPAIR><NAME>a</NAME><VALUE>1</VALUE></NVPAIR>"
        "<NVPAIR><NAME>z</NAME><VALUE>1</VALUE></NVPAIR>"));
    EXPECT_THAT(message.events.at(0).pairs, ElementsAre(NvPair{"a", {"1"}}, NvPair{"z", {"1"}}));
}

TEST_F(RegistrationReaderTest, NeverTrimsText) {
    EXPECT_EQ(valueOf(" a \n b "), " a \n b ");
    EXPECT_EQ(valueOf(""), "");
    EXPECT_EQ(valueOf(" "), " ");
}

TEST_F(RegistrationReaderTest, TakesCdataAndEscapesForTheSame) {
    EXPECT_EQ(valueOf("<![CDATA[a<&>]]>"), "a<&>");
    EXPECT_EQ(valueOf("a&lt;&amp;&gt;"), "a<&>");
    EXPECT_EQ(valueOf("a<![CDATA[<]]><!-- c --><![CDATA[&]]><?p?>&#62;"), "a<&>");
    EXPECT_EQ(valueOf("&quot;&apos;&#x1F600;&#10;"), "\"'\xF0\x9F\x98\x80\n");
    EXPECT_EQ(valueOf("<![CDATA[&amp;]]>"), "&amp;");
}

TEST_F(RegistrationReaderTest, NormalisesLineEndsAsXmlSays) {
    EXPECT_EQ(valueOf("a\r\nb\rc"), "a\nb\nc");
    EXPECT_EQ(valueOf("a&#13;b"), "a\rb");
}

TEST_F(RegistrationReaderTest, NormalisesAttributeValuesAsXmlSays) {
    EXPECT_EQ(classOf(" a\tb\nc\r\nd "), " a b c d ");
    EXPECT_EQ(classOf("a&#9;b&#10;c&#13;"), "a\tb\nc\r");
    EXPECT_EQ(classOf("&lt;&amp;&quot;>"), "<&\">");
}

TEST_F(RegistrationReaderTest, PassesOverWhiteSpaceCommentsAndInstructionsAnywhere) {
    const auto message = accepted(
        "<?xml version='1.0'?>\n<!-- a --><?b c?>\n<SC_CALLBACK_REG PORT='1'\n REG_TYPE='ADD_CLIENT' >\r\n"
        "<!-- d --> <SC_EVENT_REG CLASS='c' > <?e?> <NVPAIR>\t<NAME>n</NAME ><!-- f "
        "--><VALUE>v</VALUE>\n</NVPAIR>"
        " </SC_EVENT_REG>\n</SC_CALLBACK_REG>\n<!-- g --><?h?>\n");
    EXPECT_THAT(message.events, ElementsAre(EventRegistration{"c", std::nullopt, {{"n", {"v"}}}}));
}

TEST_F(RegistrationReaderTest, AcceptsAnEventListInRemoveClient) {
    EXPECT_TRUE(accepts(registrationWith("<SC_EVENT_REG CLASS='c'/>", "PORT='1' REG_TYPE='REMOVE_CLIENT'")));
}

TEST_F(RegistrationReaderTest, ReadsTheFourEncodings) {
    const std::string ae = "\xC3\xA4";
    EXPECT_EQ(classOf("\xC3\xA4"), ae);
    const auto declared = [](std::string_view encoding, std::string_view eventClass) {
        return "<?xml version='1.0' encoding='" + std::string(encoding) + "'?>" +
               registrationWith("<SC_EVENT_REG CLASS='" + std::string(eventClass) + "'/>");
    };
    EXPECT_EQ(accepted(declared("utf-8", "\xC3\xA4")).events.at(0).eventClass, ae);
    EXPECT_EQ(accepted("\xEF\xBB\xBF" + declared("UTF-8", "\xC3\xA4")).events.at(0).eventClass, ae);
    EXPECT_EQ(accepted(declared("ISO-8859-1", "\xE4")).events.at(0).eventClass, ae);
    EXPECT_EQ(accepted(declared("iso-8859-1", "\xE4")).events.at(0).eventClass, ae);
    EXPECT_EQ(accepted(declared("US-ASCII", "&#228;")).events.at(0).eventClass, ae);
    for (const bool bigEndian : {false, true}) {
        const std::string exact = bigEndian ? "UTF-16BE" : "UTF-16LE";
        for (const bool mark : {false, true}) {
            const auto plain = registrationWith("<SC_EVENT_REG CLASS='&#228;'/>");
            EXPECT_EQ(accepted(test::utf16(plain, bigEndian, mark)).events.at(0).eventClass, ae);
            EXPECT_EQ(
                accepted(test::utf16(declared("UTF-16", "&#228;"), bigEndian, mark)).events.at(0).eventClass,
                ae);
            EXPECT_EQ(
                accepted(test::utf16(declared(exact, "&#228;"), bigEndian, mark)).events.at(0).eventClass,
                ae);
        }
    }
}

// One that the parser is not shown, and one that it is.
TEST_F(RegistrationReaderTest, SaysTheSameHoweverTheXmlDeclarationIsSpelled) {
    const std::string good =
        R"(<SC_CALLBACK_REG PORT="1" REG_TYPE="ADD_CLIENT"><SC_EVENT_REG CLASS="A"/></SC_CALLBACK_REG>)";
    const std::vector<std::string> rests{good,
                                         "\n" + good,
                                         "\r\n\n" + good,
                                         " <!-- -->" + good,
                                         "<?target?>" + good,
                                         "<!DOCTYPE SC_CALLBACK_REG SYSTEM \"x\">\n" + good,
                                         "\n\n" + good.substr(0, 40),
                                         "",
                                         "x",
                                         "\n\nx" + good,
                                         "<?xml version=\"1.0\"?>" + good,
                                         "<?xml version=\"1.1\"?>" + good,
                                         "\n<?xml version=\"1.0\"?>" + good,
                                         "<?xml-stylesheet a?>" + good,
                                         "\xEF\xBB\xBF" + good,
                                         "\xFE\xFF" + good,
                                         "\n\n<A/>",
                                         "\n<SC_CALLBACK_REG/>",
                                         "<",
                                         "\xC3\xA4"};
    const auto said = [&](const std::string& document) {
        const auto message = reader_.parse(document);
        return message ? std::string("read")
                       : std::to_string(message.error().line) + ": " + message.error().text;
    };
    for (const auto& rest : rests) {
        const auto shown = said("<?xml version='1.0'?>" + rest);
        EXPECT_EQ(said("<?xml version=\"1.0\"?>" + rest), shown) << rest;
        EXPECT_EQ(said(R"(<?xml version="1.0" encoding="UTF-8" standalone="no"?>)" + rest),
                  said("<?xml version='1.0' encoding='UTF-8' standalone='no'?>" + rest))
            << rest;
        EXPECT_EQ(said("<?xml version=\"1.0\" encoding=\"UTF-8\"?>" + rest),
                  said("<?xml version='1.0' encoding='UTF-8'?>" + rest))
            << rest;
    }
}

TEST_F(RegistrationReaderTest, ToleratesADoctypeThatOnlyNamesAnExternalIdentifier) {
    for (const std::string_view doctype :
         {"<!DOCTYPE SC_CALLBACK_REG>", "<!DOCTYPE SC_CALLBACK_REG SYSTEM 'sc_callback_reg.dtd'>",
          "<!DOCTYPE SC_CALLBACK_REG SYSTEM \"http://127.0.0.1:9/a>b[c]'d\" >",
          "<!DOCTYPE SC_CALLBACK_REG SYSTEM 'file:///nowhere/at/all.dtd'>",
          "<!DOCTYPE\nSC_CALLBACK_REG\nPUBLIC '-//x//y' 'z'\n>", "<!DOCTYPE something.else SYSTEM ''>"}) {
        EXPECT_TRUE(accepts("<?xml version='1.0'?>" + std::string(doctype) + registrationWith("")))
            << doctype;
        const auto wide = test::utf16(std::string(doctype) + registrationWith(""), true, true);
        EXPECT_TRUE(accepts(wide)) << doctype;
    }
}

// Opening a pipe that nobody writes to would never return.
TEST_F(RegistrationReaderTest, OpensNothingThatADocumentNames) {
    std::string folder = testing::TempDir() + "crnpd_xml_XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    const std::string pipe = folder + "/pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    const std::string xsi =
        "PORT='1' REG_TYPE='ADD_CLIENT' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' ";
    EXPECT_TRUE(accepts("<!DOCTYPE SC_CALLBACK_REG SYSTEM '" + pipe + "'>" + registrationWith("")));
    EXPECT_TRUE(
        accepts("<!DOCTYPE SC_CALLBACK_REG PUBLIC 'x' 'file://" + pipe + "'>" + registrationWith("")));
    EXPECT_FALSE(accepts("<!DOCTYPE a [<!ENTITY e SYSTEM '" + pipe + "'><!ENTITY % p SYSTEM '" + pipe +
                         "'>%p;]>" + registrationWith("&e;")));
    EXPECT_FALSE(accepts(registrationWith("", xsi + "xsi:noNamespaceSchemaLocation='" + pipe + "'")));
    EXPECT_FALSE(accepts(registrationWith("", xsi + "xsi:schemaLocation='a " + pipe + "' xmlns:a='a'")));
    EXPECT_FALSE(accepts("<a:b xmlns:a='a' " + xsi + "xsi:schemaLocation='a " + pipe + "'/>"));
    ::unlink(pipe.c_str());
    ::rmdir(folder.c_str());
}

TEST_F(RegistrationReaderTest, KeepsTheLinesBehindADoctype) {
    const auto result = reader_.parse("<!DOCTYPE a\nSYSTEM 'b\nc'\n>\n" + registrationWith("\nx"));
    EXPECT_EQ(result.error().line, 6U);
}

TEST_F(RegistrationReaderTest, StopsAtTheLimitOfRegistrations) {
    RegistrationReader reader(runtime_, {.registrations = 2});
    const std::string two = "<SC_EVENT_REG CLASS='a'/><SC_EVENT_REG CLASS='a'/>";
    EXPECT_TRUE(reader.parse(registrationWith(two)).has_value());
    const auto three = reader.parse(registrationWith(two + "\n<SC_EVENT_REG CLASS='b'/>"));
    ASSERT_FALSE(three);
    EXPECT_EQ(three.error().code, ErrorCode::noSpace);
    EXPECT_EQ(three.error().line, 2U);
    EXPECT_THAT(three.error().text, HasSubstr("registrations_per_client"));
    reader.limit({.registrations = 3});
    EXPECT_TRUE(reader.parse(registrationWith(two + "<SC_EVENT_REG CLASS='b'/>")).has_value());
}

TEST_F(RegistrationReaderTest, SaysMalformedOrInvalidBeforeTheLimitOfRegistrations) {
    RegistrationReader reader(runtime_, {.registrations = 1});
    const std::string two = "<SC_EVENT_REG CLASS='a'/><SC_EVENT_REG CLASS='a'/>";
    EXPECT_EQ(reader.parse(registrationWith(two + "&x;")).error().code, ErrorCode::malformed);
    EXPECT_EQ(reader.parse(registrationWith(two + "<X/>")).error().code, ErrorCode::invalid);
}

TEST_F(RegistrationReaderTest, ReadsOnAfterARefusal) {
    for (const std::string& document :
         {registrationWith("<X>"), registrationWith("<X/>"), "<?xml version='1.1'?>" + registrationWith(""),
          registrationWith("&x;"), std::string("x"), test::repeated("<SC_EVENT_REG CLASS='", 200000),
          registrationWith(test::repeated("<X/>", 200000))}) {
        EXPECT_FALSE(accepts(document));
        EXPECT_EQ(accepted(test::usualMessage).events.size(), 2U);
    }
}

TEST_F(RegistrationReaderTest, SharesTheSchemaWithReadersOnOtherThreads) {
    constexpr std::size_t readers = 4;
    std::vector<std::jthread> threads;
    threads.reserve(readers);
    std::atomic<int> right = 0;
    for (std::size_t i = 0; i < readers; ++i) {
        threads.emplace_back([this, &right] {
            RegistrationReader reader(runtime_);
            for (int n = 0; n < 500; ++n) {
                const bool accepted = reader.parse(test::usualMessage).has_value();
                const bool refused = !reader.parse(eventWith("<X/>")).has_value();
                if (accepted && refused) ++right;
            }
        });
    }
    threads.clear();
    EXPECT_EQ(right, 2000);
}

TEST_F(RegistrationReaderTest, DoesNotCareForTheEnvironmentVariableThatDisablesDtds) {
    ::setenv("XERCES_DISABLE_DTD", "1", 1);
    const Runtime again;
    RegistrationReader reader(again);
    EXPECT_TRUE(reader.parse("<!DOCTYPE a SYSTEM 'b'>" + registrationWith("")).has_value());
    EXPECT_EQ(std::getenv("XERCES_DISABLE_DTD"), nullptr);
}

}  // namespace
}  // namespace crnpd::xml
