// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Documents that are made to cost much. The bound of each is the time that a usual message takes for a byte,
// times a factor: generous, because a test machine is busy, but far below what anything quadratic takes.
#include <ctime>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <malloc.h>

#include "common/xml/message_end.h"
#include "common/xml/registration_reader.h"
#include "tests/unit/common/xml/documents.h"

namespace crnpd::xml {
namespace {

using test::eventWith;
using test::pairWith;
using test::registrationWith;
using test::repeated;

constexpr std::size_t mebibyte = 1UL << 20U;
constexpr double mostPerByte = 40;  // times that of the usual message

enum class Answer { ok, malformed, invalid, noSpace };

struct Hostile {
    const char* what;
    std::string document;
    Answer answer;
};

// `piece` with a number in place of every '#', never the same.
std::string numbered(const std::string& piece) {
    std::string out;
    for (unsigned n = 0; out.size() < mebibyte; ++n) {
        for (const char c : piece)
            out += c == '#' ? std::to_string(n) : std::string(1, c);
    }
    return out;
}

std::string nested(const std::string& open, const std::string& close) {
    const std::string opened = repeated(open, mebibyte / 2);
    return opened + repeated(close, opened.size() / open.size() * close.size());
}

std::vector<Hostile> elements() {
    return {
        {"deep nesting", nested("<a>", "</a>"), Answer::invalid},
        {"deep nesting without end", repeated("<a>", mebibyte), Answer::malformed},
        {"deep nesting of a known element",
         registrationWith(nested("<SC_EVENT_REG CLASS='a'>", "</SC_EVENT_REG>")), Answer::invalid},
        {"unknown elements", registrationWith(repeated("<a/>", mebibyte)), Answer::invalid},
        {"unknown elements with different names", registrationWith(numbered("<a#/>")), Answer::invalid},
        {"different attributes", registrationWith(numbered("<a a#='' b#=''/>")), Answer::invalid},
        {"prefixes", registrationWith(numbered("<a#:b/>")), Answer::invalid},
        {"registrations", registrationWith(repeated("<SC_EVENT_REG CLASS='a'/>", mebibyte)), Answer::noSpace},
        {"pairs", eventWith(repeated("<NVPAIR><NAME/><VALUE/></NVPAIR>", mebibyte)), Answer::ok},
        {"values", pairWith("<NAME/>" + repeated("<VALUE/>", mebibyte)), Answer::ok},
        {"names", pairWith(repeated("<NAME/>", mebibyte)), Answer::invalid},
        {"a long element name", "<" + std::string(mebibyte, 'a') + "/>", Answer::invalid},
    };
}

std::vector<Hostile> attributes() {
    const std::string root = "PORT='1' REG_TYPE='ADD_CLIENT' ";
    return {
        {"a long attribute", registrationWith("<SC_EVENT_REG CLASS='" + std::string(mebibyte, 'x') + "'/>"),
         Answer::ok},
        {"a long attribute name", registrationWith("", std::string(mebibyte, 'x') + "=''"), Answer::invalid},
        {"attributes", registrationWith("", root + numbered("a#='' ")), Answer::invalid},
        {"attributes of an unknown element", "<a " + numbered("a#='' ") + "/>", Answer::invalid},
        {"the same attribute", registrationWith("", repeated("x='' ", mebibyte)), Answer::invalid},
        {"namespaces", registrationWith("", root + numbered("xmlns:a#='u' ")), Answer::invalid},
        {"character references",
         registrationWith("<SC_EVENT_REG CLASS='" + repeated("&#38;", mebibyte) + "'/>"), Answer::ok},
    };
}

std::vector<Hostile> texts() {
    const std::string bomb =
        "<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c "
        "'&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;'>]>";
    return {
        {"white space", registrationWith(std::string(mebibyte, ' ')), Answer::ok},
        {"lines", registrationWith(std::string(mebibyte, '\n')), Answer::ok},
        {"a comment", registrationWith("<!--" + std::string(mebibyte, ' ') + "-->"), Answer::ok},
        {"comments", registrationWith(repeated("<!---->", mebibyte)), Answer::ok},
        {"instructions", registrationWith(repeated("<?a?>", mebibyte)), Answer::ok},
        {"CDATA sections", pairWith("<NAME/><VALUE>" + repeated("<![CDATA[]]>", mebibyte) + "</VALUE>"),
         Answer::ok},
        {"character references", pairWith("<NAME/><VALUE>" + repeated("&#38;", mebibyte) + "</VALUE>"),
         Answer::ok},
        {"unknown entities", registrationWith(repeated("&x;", mebibyte)), Answer::malformed},
        {"an entity bomb", bomb + registrationWith(repeated("&d;", mebibyte)), Answer::invalid},
        {"an unclosed CDATA section", registrationWith("<![CDATA[" + std::string(mebibyte, ']')),
         Answer::malformed},
        {"a long system identifier",
         "<!DOCTYPE a SYSTEM '" + std::string(mebibyte, 'x') + "'>" + registrationWith(""), Answer::ok},
        {"comments before the root", repeated("<!-- -->", mebibyte) + registrationWith(""), Answer::ok},
        {"the word encoding",
         "<?xml version='1.0' " + repeated("encoding ", mebibyte) + "?>" + registrationWith(""),
         Answer::malformed},
    };
}

class HostileInput : public testing::Test {
protected:
    // Seconds of this thread's processor time: the test machine may be busy.
    static double now() {
        timespec time{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
    }

    double usualSecondsPerByte() {
        constexpr int rounds = 2000;
        const double begin = now();
        for (int i = 0; i < rounds; ++i)
            EXPECT_TRUE(reader_.parse(test::usualMessage).has_value());
        return (now() - begin) / rounds / static_cast<double>(test::usualMessage.size());
    }

    Answer answerTo(std::string_view document) {
        const auto result = reader_.parse(document);
        if (result) return Answer::ok;
        EXPECT_LT(result.error().text.size(), 400U);
        switch (result.error().code) {
            case ErrorCode::malformed:
                return Answer::malformed;
            case ErrorCode::noSpace:
                return Answer::noSpace;
            default:
                return Answer::invalid;
        }
    }

    void expectCheap(const std::vector<Hostile>& documents) {
        const double bound = usualSecondsPerByte() * mostPerByte;
        for (const auto& [what, document, answer] : documents) {
            const double begin = now();
            EXPECT_EQ(answerTo(document), answer) << what;
            const double took = now() - begin;
            EXPECT_LT(took, bound * static_cast<double>(document.size())) << what;
            RecordProperty(what, std::to_string(took * 1000) + " ms");
        }
    }

    Runtime runtime_;
    RegistrationReader reader_{runtime_};
};

TEST_F(HostileInput, ElementsCostLittle) {
    expectCheap(elements());
}
TEST_F(HostileInput, AttributesCostLittle) {
    expectCheap(attributes());
}
TEST_F(HostileInput, TextsCostLittle) {
    expectCheap(texts());
}

// Below the size from which a document's shape is looked at first.
TEST_F(HostileInput, ShortDocumentsCostLittle) {
    std::string attributes;
    for (int n = 0; attributes.size() < 3900; ++n)
        attributes.append("a").append(std::to_string(n)).append("='' ");
    expectCheap({{"attributes", registrationWith("", attributes), Answer::invalid},
                 {"attributes of an event", registrationWith("<SC_EVENT_REG " + attributes + "/>"),
                  Answer::invalid}});
}

// A sanitizer's allocator knows nothing of mallinfo2().
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_F(HostileInput, LeavesNoMemoryBehind) {
    const auto everything = [this] {
        for (const auto& documents : {elements(), attributes(), texts()}) {
            for (const auto& hostile : documents)
                answerTo(hostile.document);
        }
        answerTo(test::usualMessage);
        return ::mallinfo2().uordblks;
    };
    const std::size_t once = everything();
    const std::size_t twice = everything();
    EXPECT_LT(twice, once + mebibyte / 4);
}
#endif

}  // namespace
}  // namespace crnpd::xml
