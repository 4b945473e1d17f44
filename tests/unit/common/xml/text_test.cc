// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/text.h"

#include <gtest/gtest.h>

namespace crnpd::xml {
namespace {

using namespace std::string_literals;

TEST(Text, KnowsWhichCharactersXmlHas) {
    for (const auto& text : {""s, "a\t\n\r b"s, "\x7F"s, "\xC2\x80"s, "\xED\x9F\xBF"s, "\xEE\x80\x80"s,
                             "\xEF\xBF\xBD"s, "\xF0\x90\x80\x80"s, "\xF4\x8F\xBF\xBF"s}) {
        EXPECT_TRUE(isLegalText(text)) << text;
    }
    for (const auto& text :
         {"\0"s, "\x01"s, "\x1F"s, "a\x80"s, "\xC0\x80"s, "\xC3"s, "\xED\xA0\x80"s, "\xEF\xBF\xBE"s,
          "\xEF\xBF\xBF"s, "\xE0\x80\x80"s, "\xF0\x80\x80\x80"s, "\xF4\x90\x80\x80"s, "\xFF"s}) {
        EXPECT_FALSE(isLegalText(text)) << quoted(text);
    }
}

TEST(Text, EscapesContent) {
    std::string out;
    appendContent(out, "a<b>&\"'\t\n\r]]>\x01\xFFz");
    EXPECT_EQ(out, "a&lt;b&gt;&amp;\"'\t\n&#13;]]&gt;\xEF\xBF\xBD\xEF\xBF\xBDz");
}

TEST(Text, EscapesAttributes) {
    std::string out;
    appendAttribute(out, "a<\"&'\t\n\r");
    EXPECT_EQ(out, "a&lt;&quot;&amp;'&#9;&#10;&#13;");
}

TEST(Text, ShowsWhatAClientWroteInOneSafeLine) {
    EXPECT_EQ(quoted("a\nb"), "\"a\\x0Ab\"");
    EXPECT_EQ(quoted("\xFF\xC3\xA4\x7F"), "\"\\xFF\xC3\xA4\\x7F\"");
    EXPECT_EQ(quoted("\xC2\x9B"), "\"\\xC2\\x9B\"");
    EXPECT_EQ(quoted(std::string(100, 'a'), 5), "\"aaaaa…\"");
    EXPECT_EQ(quoted("aaaaa", 5), "\"aaaaa\"");
}

}  // namespace
}  // namespace crnpd::xml
