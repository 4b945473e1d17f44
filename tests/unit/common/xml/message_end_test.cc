// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/message_end.h"

#include <array>
#include <chrono>
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "tests/unit/common/xml/documents.h"

namespace crnpd::xml {

// For gtest.
static void PrintTo(MessageEnd::Verdict verdict, std::ostream* out) {
    constexpr std::array names{"needMore", "complete", "trailingGarbage", "broken"};
    *out << names[static_cast<std::size_t>(verdict)];
}

namespace {

using testing::HasSubstr;
using Verdict = MessageEnd::Verdict;
using namespace std::string_literals;

// Well-formed documents whose last byte is the end of the root.
const std::vector<std::string>& documents() {
    static const std::vector<std::string> all{
        std::string(test::usualMessage),
        std::string(test::leavingMessage),
        "<a/>",
        "<a></a>",
        "<a ></a\t\n>",
        "<a b='c' />",
        "<a b = '>' c=\"/>\" d='\"' e=\"'\"></a>",
        "<a>/></a>",
        "<a>text with > and ]] and -- and ?> and quotes \" '</a>",
        "<a><b/><b/><b><c/></b></a>",
        "<a><a><a></a></a></a>",
        "<a><!-- </a> ' \" - --></a>",
        "<a><!----></a>",
        "<a><!---></a>--></a>",
        "<a><![CDATA[</a>]]></a>",
        "<a><![CDATA[]]></a>",
        "<a><![CDATA[]]]]]></a>",
        "<a><![CDATA[]>]] >]]></a>",
        "<a><?p </a> ' ?></a>",
        "<a><?p?\?></a>",
        "<?xml version='1.0'?>\n<!-- <a> --><?p <a> ?>\n<a/>",
        "<!-- - ><a/> --><a/>",
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a SYSTEM 'x>y'><a/>",
        "<!DOCTYPE a PUBLIC \"p\" \"<a/>'\"><a/>",
        "<!DOCTYPE a []><a/>",
        "<!DOCTYPE a SYSTEM 'x' [ <!ELEMENT a EMPTY> ] ><a/>",
        "<!DOCTYPE a [<!ENTITY e ']><a/>'><!ENTITY f \"'\">]><a/>",
        "<!DOCTYPE a [<!-- ]><a/> ' --><?p ]><a/> \" ?>%p;<!ATTLIST a b CDATA '>'>]><a/>",
        "<\xC3\xA4 \xC3\xB6='\xC3\xBC'></\xC3\xA4>",
        "\xEF\xBB\xBF<a/>",
        "<a.b-c:d_1/>",
        test::repeated("<a>", 3000) + test::repeated("</a>", 4000),
    };
    return all;
}

std::vector<std::string> inAllEncodings(std::string_view document) {
    std::vector<std::string> out{std::string(document)};
    const bool ascii = document.find_first_of("\xC3\xEF") == std::string_view::npos;
    for (const bool bigEndian : {false, true}) {
        for (const bool mark : {false, true}) {
            if (ascii) out.push_back(test::utf16(document, bigEndian, mark));
        }
    }
    return out;
}

struct Outcome {
    Verdict verdict;
    std::size_t length;
    unsigned line;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
    return out << testing::PrintToString(outcome.verdict) << " length " << outcome.length << " line "
               << outcome.line;
}

Outcome outcomeOf(const MessageEnd& end) {
    const bool refused = end.verdict() == Verdict::broken || end.verdict() == Verdict::trailingGarbage;
    return {end.verdict(), end.length(), refused ? end.error().line : 0};
}

Outcome feed(const std::vector<std::string_view>& pieces) {
    MessageEnd end;
    for (const auto piece : pieces)
        end.feed(piece);
    return outcomeOf(end);
}

Outcome feedByteByByte(std::string_view bytes) {
    MessageEnd end;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        end.feed(bytes.substr(i, 1));
    return outcomeOf(end);
}

TEST(MessageEnd, ComesWithTheLastByteOfTheRootAndNotBefore) {
    for (const auto& written : documents()) {
        for (const auto& document : inAllEncodings(written)) {
            MessageEnd end;
            for (std::size_t i = 0; i + 1 < document.size(); ++i) {
                ASSERT_EQ(end.feed({&document[i], 1}), Verdict::needMore) << document << " at " << i;
            }
            EXPECT_EQ(end.feed({&document.back(), 1}), Verdict::complete) << document;
            EXPECT_EQ(end.length(), document.size()) << document;
            EXPECT_EQ(end.finish(), Verdict::complete) << document;
        }
    }
}

TEST(MessageEnd, DoesNotDependOnWhereTheBytesAreSplit) {
    std::vector<std::string> all;
    for (const auto& written : documents()) {
        for (const auto& document : inAllEncodings(written.substr(0, 600))) {
            all.push_back(document);
            all.push_back(document + " \n<!-- c --><?p?> ");
            all.push_back(document + " \n<!-- c -");
            all.push_back(document + "\nx");
        }
    }
    for (const auto& bytes : all) {
        const std::string_view view = bytes;
        const Outcome whole = feed({view});
        ASSERT_EQ(feedByteByByte(view), whole) << bytes;
        for (std::size_t i = 0; i <= view.size(); ++i) {
            ASSERT_EQ(feed({view.substr(0, i), view.substr(i)}), whole) << bytes << " split at " << i;
        }
    }
}

TEST(MessageEnd, TakesHarmlessThingsBehindTheRoot) {
    const std::string tail = "<a/> \r\n\t<!-- x --><?p x?>\n";
    EXPECT_EQ(feed({tail}), (Outcome{Verdict::complete, tail.size(), 0}));
    EXPECT_EQ(feed({"<a/>", " ", "<!--", "-->"}), (Outcome{Verdict::complete, 12, 0}));
}

TEST(MessageEnd, DoesNotCountAnUnfinishedCommentBehindTheRoot) {
    EXPECT_EQ(feed({"<a/> <!-- x"}), (Outcome{Verdict::complete, 5, 0}));
    EXPECT_EQ(feed({"<a/> <"}), (Outcome{Verdict::complete, 5, 0}));
}

TEST(MessageEnd, RefusesAnythingElseBehindTheRoot) {
    for (const std::string& tail :
         {"x"s, "<a/>"s, "</a>"s, "<![CDATA[]]>"s, "<!DOCTYPE a>"s, "\0"s, "&amp;"s, "<1"s, "\x1A"s}) {
        EXPECT_EQ(feed({"<a></a>", tail}).verdict, Verdict::trailingGarbage) << tail;
    }
    MessageEnd end;
    end.feed("<a/>\n\n <a/>");
    EXPECT_EQ(end.error().code, ErrorCode::malformed);
    EXPECT_EQ(end.error().line, 3U);
    EXPECT_THAT(end.error().text, HasSubstr("one document"));
}

TEST(MessageEnd, SeesAtOnceWhatCanNeverBecomeADocument) {
    struct Case {
        std::string bytes;
        unsigned line;
    };
    for (const auto& [bytes, line] : std::vector<Case>{
             {"GET / HTTP/1.1", 1},
             {"\n\nx", 3},
             {"\0"s + "x", 1},
             {"\x4C\x6F\xA7\x94", 1},  // EBCDIC
             {"\0\0\0<"s, 1},          // UTF-32
             {"<\0\0\0"s, 1},          // the other one
             {"\xEF\xBBx", 1},
             {"</a>", 1},
             {"< a>", 1},
             {"<1>", 1},
             {"<a>\n<a></b>", 2},
             {"<a><b></a>", 1},
             {"<a b='<'>", 1},
             {"<a\n<b>", 2},
             {"<a b<", 1},
             {"<a/ >", 1},
             {"<a'>", 1},
             {"<a></ a>", 1},
             {"<a></a b>", 1},
             {"<a><!x", 1},
             {"<a><!-x", 1},
             {"<a><!-- -- -->", 1},
             {"<a><![CDAT[", 1},
             {"<![CDATA[", 1},
             {"<a><!DOCTYPE", 1},
             {"<!DOCTYPE a><!DOCTYPE", 1},
             {"<!DOCTYPE a <", 1},
             {"<!DOCTYPE a [<a>", 1},
             {"<!DOCTYPE a []x", 1},
             {"<a>\0"s, 1},
             {"<a b='\0"s, 1},
             {"<a><!--\n \0"s, 2},
         }) {
        EXPECT_EQ(feed({bytes}), (Outcome{Verdict::broken, 0, line})) << bytes;
        EXPECT_EQ(feedByteByByte(bytes), (Outcome{Verdict::broken, 0, line})) << bytes;
    }
}

TEST(MessageEnd, LeavesWhatItIsNotSureOfToTheReader) {
    for (const std::string_view bytes :
         {"<a b=c d>&nope; ]]> </a>", "<?xml?><a/>", " <?xml version='1.0'?><a/>", "<a b='1' b='1'/>",
          "<a>\xFF</a>", "<a>\x01</a>", "<!DOCTYPE><a/>"}) {
        EXPECT_EQ(feed({bytes}), (Outcome{Verdict::complete, bytes.size(), 0})) << bytes;
    }
}

TEST(MessageEnd, SaysAtTheEndOfInputWhatIsMissing) {
    for (const std::string_view bytes :
         {"", " ", "<", "<a", "<a>", "<a><b/>", "<a></a", "<!-- ", "<!DOCTYPE a ["}) {
        MessageEnd end;
        end.feed(bytes);
        ASSERT_EQ(end.verdict(), Verdict::needMore) << bytes;
        EXPECT_EQ(end.finish(), Verdict::broken) << bytes;
        EXPECT_THAT(end.error().text, HasSubstr("end tag of its root element"));
    }
    MessageEnd open;
    open.feed("<a/><!-- ");
    EXPECT_EQ(open.finish(), Verdict::trailingGarbage);
}

TEST(MessageEnd, IsReadyForTheNextDocumentAfterAReset) {
    MessageEnd end;
    end.feed("<a>\n</b>");
    end.reset();
    EXPECT_EQ(end.feed("<a/>"), Verdict::complete);
    EXPECT_EQ(end.length(), 4U);
}

TEST(MessageEnd, KeepsItsRefusalWhateverFollows) {
    MessageEnd end;
    end.feed("x");
    EXPECT_EQ(end.feed("<a/>"), Verdict::broken);
    EXPECT_EQ(end.finish(), Verdict::broken);
}

TEST(MessageEnd, CountsTheAttributesOfTheRichestElement) {
    MessageEnd end;
    end.feed("<a b='1' c='2'><d e='\"' f=\"'\" g=''/><h i='='/>a='1' b='2' c='3' d='4'</a>");
    EXPECT_EQ(end.mostAttributes(), 3U);
}

// A scanner that looked back would take minutes for this.
TEST(MessageEnd, TakesLinearTimeByteByByte) {
    const std::string document = "<a>" + test::repeated("<b c='d'>x</b><!-- -->\n", 8UL << 20U) + "</a>";
    const auto begin = std::chrono::steady_clock::now();
    const Outcome outcome = feedByteByByte(document);
    const auto took = std::chrono::steady_clock::now() - begin;
    EXPECT_EQ(outcome, (Outcome{Verdict::complete, document.size(), 0}));
    EXPECT_LT(took, std::chrono::seconds(20));
}

}  // namespace
}  // namespace crnpd::xml
