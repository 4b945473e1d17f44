// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What the reader refuses: the code, the line and the words, and the order of the checks (section 3 of
// docs/protocol.md).
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "common/xml/registration_reader.h"
#include "tests/unit/common/xml/documents.h"

namespace crnpd::xml {
namespace {

using test::eventWith;
using test::pairWith;
using test::registrationWith;
using testing::HasSubstr;
using namespace std::string_literals;

constexpr auto malformed = ErrorCode::malformed;
constexpr auto invalid = ErrorCode::invalid;

struct Refusal {
    std::string document;
    ErrorCode code;
    unsigned line;
    std::string words;
};

class RegistrationChecks : public testing::Test {
protected:
    void expect(const std::vector<Refusal>& refusals) {
        for (const auto& refusal : refusals) {
            const auto result = reader_.parse(refusal.document);
            if (result) {
                ADD_FAILURE() << "accepted: " << refusal.document;
                continue;
            }
            EXPECT_EQ(result.error().code, refusal.code) << refusal.document << ": " << result.error().text;
            EXPECT_EQ(result.error().line, refusal.line) << refusal.document;
            EXPECT_THAT(result.error().text, HasSubstr(refusal.words)) << refusal.document;
        }
    }

    ErrorCode codeOf(const std::string& document) {
        const auto result = reader_.parse(document);
        return result ? ErrorCode::notFound : result.error().code;
    }

    Runtime runtime_;
    RegistrationReader reader_{runtime_};
};

std::string withAttributes(const std::string& attributes) {
    return registrationWith("", attributes);
}
std::string withVersion(const std::string& version) {
    return registrationWith("", "PORT='1' REG_TYPE='ADD_CLIENT' VERSION='" + version + "'");
}
std::string withPort(const std::string& port) {
    return withAttributes("REG_TYPE='ADD_CLIENT' PORT='" + port + "'");
}

TEST_F(RegistrationChecks, WhatIsNotWellFormedIsMalformed) {
    const std::string whole(test::usualMessage);
    expect({
        {"", malformed, 1, "begin with \"<\""},
        {"GET / HTTP/1.0\r\n\r\n", malformed, 1, "not XML"},
        {" \n ", malformed, 2, "ends before"},
        {whole.substr(0, whole.size() - 1), malformed, 1, "ends before the end tag"},
        {whole.substr(0, 90), malformed, 1, "ends before the end tag"},
        {registrationWith("\n<SC_EVENT_REG CLASS='c'>"), malformed, 2, "another name"},
        {registrationWith("<SC_EVENT_REG CLASS=c/>"), malformed, 1, "quotes"},
        {registrationWith("<SC_EVENT_REG CLASS/>"), malformed, 1, "\"=\""},
        {registrationWith("\n\n<SC_EVENT_REG CLASS='a<b'/>"), malformed, 3, "quote"},
        {registrationWith("<SC_EVENT_REG CLASS='c' CLASS='d'/>"), malformed, 1, "already specified"},
        {registrationWith("<SC_EVENT_REG CLASS='a&b'/>"), malformed, 1, "&amp;"},
        {registrationWith("a & b"), malformed, 1, "&amp;"},
        {registrationWith("]]>"), malformed, 1, "]]&gt;"},
        {registrationWith("<!-- -- -->"), malformed, 1, "--"},
        {registrationWith("<![CDATA["), malformed, 1, "ends before"},
        {registrationWith("<SC_EVENT_REG CLASS='&#1;'/>"), malformed, 1, "character reference"},
        {registrationWith("<SC_EVENT_REG CLASS='&#xD800;'/>"), malformed, 1, "character reference"},
        {registrationWith("<SC_EVENT_REG CLASS='\x01'/>"), malformed, 1, "0x1"},
        {registrationWith("<SC_EVENT_REG CLASS='\0'/>"s), malformed, 1, ""},
        {" <?xml version='1.0'?>" + registrationWith(""), malformed, 1, "very first"},
        {"<?xml version='1.0'?><?xml version='1.0'?>" + registrationWith(""), malformed, 1, "very first"},
        {"<?xml?>" + registrationWith(""), malformed, 1, ""},
    });
}

TEST_F(RegistrationChecks, WhatFollowsTheRootIsMalformed) {
    const std::string one = registrationWith("");
    expect({
        {one + "x", malformed, 1, "one document"},
        {one + "\n" + one, malformed, 2, "one document"},
        {one + "\0"s, malformed, 1, "NUL"},
        {one + "\n\0\n<a/>"s, malformed, 2, "NUL"},
        {one + "&amp;", malformed, 1, "one document"},
        {one + "<!DOCTYPE a>", malformed, 1, "one document"},
        {one + "<!-- ", malformed, 1, "one document"},
        {one + "\xFF", malformed, 1, "one document"},
        {one + "\n\xC3", malformed, 2, "one document"},
        {one + " \xC3\xA4", malformed, 1, "one document"},
    });
}

// Whatever stands where the bytes of a character should.
TEST_F(RegistrationChecks, ACharacterThatIsCutOffBehindTheRootIsMalformed) {
    for (unsigned first = 0x80; first <= 0xFF; ++first) {
        for (std::size_t more = 0; more < 9; ++more) {
            const std::string tail =
                std::string(1, static_cast<char>(first)) + std::string("!-- x -->").substr(0, more);
            expect({{registrationWith("") + tail, malformed, 1, "one document"}});
            expect({{registrationWith("") + tail.substr(0, 1) + std::string(more, ' '), malformed, 1,
                     "one document"}});
        }
    }
}

TEST_F(RegistrationChecks, NoEntityIsKnownButTheFive) {
    const std::string doctype = "<!DOCTYPE SC_CALLBACK_REG SYSTEM 'file:///nowhere.dtd'>";
    for (const std::string& content :
         {"&foo;"s, "<SC_EVENT_REG CLASS='&foo;'/>"s,
          "<SC_EVENT_REG CLASS='c'><NVPAIR><NAME>n</NAME><VALUE>a&foo;b</VALUE></NVPAIR></SC_EVENT_REG>"s}) {
        expect({{registrationWith(content), malformed, 1, "only the entities lt, gt, amp, quot and apos"}});
        expect({{doctype + registrationWith(content), malformed, 1, "only the entities"}});
    }
}

TEST_F(RegistrationChecks, OnlyFourEncodingsAreAllowed) {
    const auto declared = [](const std::string& encoding) {
        return "<?xml version='1.0' encoding='" + encoding + "'?>" + registrationWith("");
    };
    for (const std::string& encoding : {"UTF-7"s, "UTF-32"s, "windows-1252"s, "Shift_JIS"s, "EBCDIC-CP-US"s,
                                        "ISO-8859-15"s, "nonsense"s, ""s}) {
        expect({{declared(encoding), malformed, 1, "allowed are UTF-8, UTF-16, ISO-8859-1 and US-ASCII"}});
    }
    expect({
        {declared("UTF-16"), malformed, 1, "not written in it"},
        {test::utf16(declared("UTF-8"), true, true), malformed, 1, "not written in it"},
        {test::utf16(declared("UTF-16LE"), true, true), malformed, 1, ""},
        {"\xFE\xFF", malformed, 1, "begin with \"<\""},
        {"\0\0\0<"s, malformed, 1, ""},
        {"<\0\0\0"s, malformed, 1, "NUL"},
        {"\xFF\xFE\0\0<\0\0\0"s, malformed, 1, "NUL"},
        {"\x4C\x6F\xA7\x94\x93", malformed, 1, "encoding"},
    });
}

TEST_F(RegistrationChecks, BrokenCharactersAreMalformed) {
    const auto withClass = [](const std::string& eventClass, const std::string& before = "") {
        return before + registrationWith("\n<SC_EVENT_REG CLASS='" + eventClass + "'/>");
    };
    for (const std::string& bytes : {"\xE4"s, "\xC3"s, "\xC0\xAF"s, "\xED\xA0\x80"s, "\xF8\x88\x80\x80\x80"s,
                                     "\xF4\x90\x80\x80"s, "\x80"s}) {
        EXPECT_EQ(codeOf(withClass(bytes)), malformed);
    }
    expect({{withClass("\xEF\xBF\xBE"), malformed, 2, "0xFFFE"}});
    EXPECT_EQ(codeOf(withClass("\xE4", "<?xml version='1.0' encoding='US-ASCII'?>")), malformed);
    auto lone = test::utf16(withClass("xx"), true, true);
    lone[lone.rfind("\0x"s)] = '\xD8';
    EXPECT_EQ(codeOf(lone), malformed);
    EXPECT_EQ(codeOf(test::utf16(registrationWith(""), true, true) + " "), malformed);
}

// XML 1.1 is another language than 1.0; a document in it is no well-formed document of the one spoken here.
TEST_F(RegistrationChecks, OnlyXml10IsSpoken) {
    for (const std::string& version : {"1.1"s, "1.2"s, "2.0"s, "0.9"s, "x"s}) {
        expect(
            {{"<?xml version='" + version + "'?>" + registrationWith(""), malformed, 1, "XML version 1.0"}});
    }
}

TEST_F(RegistrationChecks, ABrokenDoctypeIsMalformed) {
    for (const std::string& doctype :
         {"<!DOCTYPE>"s, "<!DOCTYPE >"s, "<!DOCTYPE 1>"s, "<!DOCTYPE a SYSTEM>"s, "<!DOCTYPE a SYSTEM'b'>"s,
          "<!DOCTYPE a PUBLIC 'b'>"s, "<!DOCTYPE a PUBLIC '{' 'c'>"s, "<!DOCTYPE a b>"s, "<!DOCTYPEa>"s,
          "<!DOCTYPE a SYSTEM 'b' 'c'>"s, "<!DOCTYPE a [] x>"s}) {
        EXPECT_EQ(codeOf(doctype + registrationWith("")), malformed) << doctype;
    }
    EXPECT_EQ(codeOf("<!DOCTYPE a><!DOCTYPE b>" + registrationWith("")), malformed);
    EXPECT_EQ(codeOf(registrationWith("<!DOCTYPE a>")), malformed);
}

TEST_F(RegistrationChecks, AnInternalSubsetIsInvalid) {
    const std::string words = "internal subset";
    expect({
        {"<!DOCTYPE SC_CALLBACK_REG []>" + registrationWith(""), invalid, 1, words},
        {"\n<!DOCTYPE SC_CALLBACK_REG SYSTEM 'a' [ <!-- ]> --> <?p ]> ?> ] >" + registrationWith(""), invalid,
         2, words},
        {"<!DOCTYPE SC_CALLBACK_REG [<!ENTITY a ']>\"'>]>" + registrationWith("&a;"), invalid, 1, words},
        {"<!DOCTYPE SC_CALLBACK_REG [<!ENTITY a SYSTEM '/etc/hostname'>]>" +
             registrationWith("<SC_EVENT_REG CLASS='&a;'/>"),
         invalid, 1, words},
        {"<!DOCTYPE SC_CALLBACK_REG [<!ELEMENT SC_CALLBACK_REG ANY>]>" + registrationWith(""), invalid, 1,
         words},
        {"<!DOCTYPE A [<!ELEMENT A EMPTY>]><A/>", invalid, 1, "root element"},
        {"<!DOCTYPE SC_CALLBACK_REG []>" + registrationWith("<X>"), malformed, 1, "another name"},
    });
}

TEST_F(RegistrationChecks, AnotherRootIsInvalid) {
    expect({
        {"<SC_REPLY/>", invalid, 1, "the root element is \"SC_REPLY\"; expected SC_CALLBACK_REG"},
        {"\n<sc_callback_reg PORT='1' REG_TYPE='ADD_CLIENT'/>", invalid, 2, "expected SC_CALLBACK_REG"},
        {"<SC_EVENT_REG CLASS='c'/>", invalid, 1, "expected SC_CALLBACK_REG"},
        {"<a:SC_CALLBACK_REG PORT='1' REG_TYPE='ADD_CLIENT'/>", invalid, 1, "expected SC_CALLBACK_REG"},
        {"<a:b:c/>", invalid, 1, "expected SC_CALLBACK_REG"},
    });
}

TEST_F(RegistrationChecks, AnotherVersionIsTooHighTooLowOrInvalid) {
    for (const auto* version : {"1.1", "2.0", "10.0", "2", "1.01", "99999999999999999999.0", " 2.0 "}) {
        expect({{withVersion(version), ErrorCode::versionTooHigh, 1, "this server speaks 1.0"}});
    }
    for (const auto* version : {"0.9", "0", "0.99", "00.5"}) {
        expect({{withVersion(version), ErrorCode::versionTooLow, 1, "this server speaks 1.0"}});
    }
    for (const auto* version :
         {"", " ", "x", "1.", ".9", "1.0.0", "-1.0", "+1.0", "1,0", "1 0", "1.0x", "1.00", "1"}) {
        expect({{withVersion(version), invalid, 1, "VERSION"}});
    }
}

TEST_F(RegistrationChecks, NamespacesAreInvalid) {
    const std::string xsi =
        "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' PORT='1' REG_TYPE='ADD_CLIENT' ";
    for (const std::string& attributes :
         {"PORT='1' REG_TYPE='ADD_CLIENT' xmlns='urn:x'"s, "PORT='1' REG_TYPE='ADD_CLIENT' xmlns=''"s,
          "PORT='1' REG_TYPE='ADD_CLIENT' xmlns:a='urn:x'"s, xsi,
          xsi + "xsi:noNamespaceSchemaLocation='http://127.0.0.1:9/x.xsd'",
          xsi + "xsi:schemaLocation='a file:///b'", xsi + "xsi:type='x'", xsi + "xsi:nil='true'",
          "PORT='1' REG_TYPE='ADD_CLIENT' xsi:type='x'"s, "PORT='1' REG_TYPE='ADD_CLIENT' xml:lang='en'"s}) {
        expect({{withAttributes(attributes), invalid, 1, "no namespaces"}});
    }
    expect({
        {registrationWith("<SC_EVENT_REG CLASS='c' xmlns:a='b'/>"), invalid, 1, "no namespaces"},
        {pairWith("<NAME xmlns:a='b'>n</NAME><VALUE/>"), invalid, 1, "no namespaces"},
        {pairWith("<NAME/><a:VALUE xmlns:a='b'/>"), invalid, 1, "no namespaces"},
    });
}

TEST_F(RegistrationChecks, PortAndRegTypeAreChecked) {
    for (const auto* port :
         {"0", "65536", "-1", "+1", " 1", "1 ", "", "0x10", "1.0", "http", "99999999999999999999"}) {
        expect({{withPort(port), invalid, 1, "expected a decimal number from 1 to 65535"}});
    }
    expect({
        {withAttributes("REG_TYPE='ADD_CLIENT'"), invalid, 1, "lacks the attribute PORT"},
        {withAttributes("PORT='1'"), invalid, 1, "lacks the attribute REG_TYPE"},
        {withAttributes("PORT='1' REG_TYPE='add_client'"), invalid, 1, "\"add_client\"; expected ADD_CLIENT"},
        {withAttributes("PORT='1' REG_TYPE=''"), invalid, 1, "expected ADD_CLIENT"},
        {withAttributes("\nPORT='1' REG_TYPE='ADD_CLIENT' HOST='h'"), invalid, 2, "no attribute \"HOST\""},
    });
}

TEST_F(RegistrationChecks, ElementsAreWhereTheyBelong) {
    expect({
        {registrationWith("\n<SC_EVENT_REG/>"), invalid, 2, "SC_EVENT_REG lacks the attribute CLASS"},
        {registrationWith("<SC_EVENT_REG CLASS='c' X=''/>"), invalid, 1,
         "its attributes are CLASS and SUBCLASS"},
        {registrationWith("\n\n<FOO/>"), invalid, 3,
         "\"FOO\" must not stand in SC_CALLBACK_REG; expected SC_EVENT_REG"},
        {registrationWith("<NVPAIR/>"), invalid, 1, "expected SC_EVENT_REG"},
        {registrationWith("hello"), invalid, 1, "text \"hello\""},
        {registrationWith(registrationWith("")), invalid, 1, "expected SC_EVENT_REG"},
        {eventWith("x"), invalid, 1, "expected NVPAIR"},
        {eventWith("<SC_EVENT_REG CLASS='d'/>"), invalid, 1, "expected NVPAIR"},
        {eventWith("<NAME/>"), invalid, 1, "expected NVPAIR"},
        {eventWith("<NVPAIR A=''><NAME/><VALUE/></NVPAIR>"), invalid, 1, "no attribute \"A\""},
        {pairWith(""), invalid, 1, "no NAME"},
        {pairWith("<NAME/>"), invalid, 1, "no VALUE"},
        {pairWith("<VALUE/>"), invalid, 1, "begins with NAME"},
        {pairWith("<VALUE/><NAME/>"), invalid, 1, "begins with NAME"},
        {pairWith("<NAME/><NAME/><VALUE/>"), invalid, 1, "one NAME"},
        {pairWith("<NAME/><VALUE/><NAME/>"), invalid, 1, "one NAME"},
        {pairWith("x<NAME/><VALUE/>"), invalid, 1, "one NAME, then one or more VALUE"},
        {pairWith("<NAME/><VALUE/><X/>"), invalid, 1, "one NAME, then one or more VALUE"},
        {pairWith("<NAME><b/></NAME><VALUE/>"), invalid, 1, "\"b\" must not stand in NAME; expected text"},
        {pairWith("<NAME/><VALUE>a<b>c</b></VALUE>"), invalid, 1,
         "\"b\" must not stand in VALUE; expected text"},
    });
}

// Well-formed → root → VERSION → validity: a document with two faults is answered by the earlier check,
// wherever in the document the faults are.
TEST_F(RegistrationChecks, TheOrderOfChecksHolds) {
    const std::string newer = "PORT='x' REG_TYPE='NEW' VERSION='2.0' NEW='y'";
    EXPECT_EQ(codeOf("<X VERSION='2.0'><Y></X>"), malformed);
    EXPECT_EQ(codeOf("<X VERSION='2.0'/>"), invalid);
    EXPECT_EQ(codeOf(registrationWith("<FOO/>", newer)), ErrorCode::versionTooHigh);
    EXPECT_EQ(codeOf(registrationWith("<FOO>", newer)), malformed);
    EXPECT_EQ(codeOf(registrationWith("<FOO/>", newer) + "x"), malformed);
    EXPECT_EQ(codeOf(registrationWith("<FOO/>&x;", newer)), malformed);
    EXPECT_EQ(codeOf(registrationWith("<FOO/><a b='1' b='2'/>")), malformed);
    EXPECT_EQ(codeOf(registrationWith("<FOO/>\xFF")), malformed);
    EXPECT_EQ(codeOf(registrationWith("<FOO/>" + test::repeated(" ", 100000) + "&x;")), malformed);
    EXPECT_EQ(codeOf("<!DOCTYPE a []>" + registrationWith("", newer)), ErrorCode::versionTooHigh);
    EXPECT_EQ(codeOf(registrationWith("<FOO/>",
                                      "VERSION='x' "
                                      "PORT='1'")),
              invalid);
}

TEST_F(RegistrationChecks, WhatTheClientWroteIsEscapedAndCut) {
    const auto long1 = reader_.parse("<" + std::string(5000, 'a') + "/>");
    EXPECT_LT(long1.error().text.size(), 200U);
    const auto control = reader_.parse(withPort("&#10;\xC2\x9B&#13;"));
    EXPECT_THAT(control.error().text, HasSubstr("\\x0A"));
    EXPECT_THAT(control.error().text, HasSubstr("\\x0D"));
    EXPECT_EQ(control.error().text.find('\n'), std::string::npos);
    EXPECT_EQ(control.error().text.find("\xC2\x9B"), std::string::npos);
}

}  // namespace
}  // namespace crnpd::xml
