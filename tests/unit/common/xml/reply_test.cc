// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/reply.h"

#include <string>

#include <gtest/gtest.h>

#include "common/xml/runtime.h"
#include "common/xml/text.h"
#include "tests/unit/common/xml/documents.h"

namespace crnpd::xml {
namespace {

class ReplyTest : public testing::Test {
protected:
    Runtime runtime_;
};

TEST_F(ReplyTest, IsWrittenAsOneLine) {
    EXPECT_EQ(writeReply({StatusCode::ok, "registered"}),
              R"(<?xml version="1.0" encoding="UTF-8"?><SC_REPLY VERSION="1.0" STATUS_CODE="OK">)"
              R"(<SC_STATUS_MSG>registered</SC_STATUS_MSG></SC_REPLY>)");
}

TEST_F(ReplyTest, IsReadBackTheSameForEveryCodeAndText) {
    using enum StatusCode;
    for (const auto code :
         {ok, retry, lowResource, systemError, fail, malformed, invalid, versionTooHigh, versionTooLow}) {
        for (const std::string_view text : {"", " a ", "<&>]]>\"'", "\xC3\xA4\xF0\x9F\x98\x80", "a\tb"}) {
            const auto read = readReply(writeReply({code, std::string(text)}));
            ASSERT_TRUE(read) << text;
            EXPECT_EQ(*read, (Reply{code, std::string(text)}));
        }
    }
}

// A sample client reads lines; and one character that XML cannot hold would cost it the whole reply.
TEST_F(ReplyTest, HoldsNeitherLineFeedsNorIllegalCharacters) {
    const std::string written = writeReply({StatusCode::fail, std::string("a\nb\r\nc\x01\0\xFF", 9)});
    EXPECT_EQ(written.find_first_of(std::string("\n\r\x01\xFF\0", 5)), std::string::npos);
    EXPECT_TRUE(isLegalText(written));
    const auto read = readReply(written);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->text, "a b  c\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_F(ReplyTest, IsTakenFromAnyServer) {
    for (const std::string_view document : {
             "<SC_REPLY STATUS_CODE='RETRY'><SC_STATUS_MSG>m</SC_STATUS_MSG></SC_REPLY>",
             "<?xml version='1.0'?>\n<!DOCTYPE SC_REPLY SYSTEM 'file:///nowhere'>\n"
             "<SC_REPLY STATUS_CODE='RETRY' VERSION='3.1'>\n "
             "<SC_STATUS_MSG><![CDATA[m]]></SC_STATUS_MSG>\n</SC_REPLY>\n",
             "<!DOCTYPE SC_REPLY [<!ELEMENT SC_REPLY ANY>]><SC_REPLY VERSION='1.0' STATUS_CODE='RETRY' "
             "NEW='x'><NEW/>"
             "<SC_STATUS_MSG>m</SC_STATUS_MSG></SC_REPLY>",
         }) {
        const auto read = readReply(document);
        ASSERT_TRUE(read) << document << read.error().text;
        EXPECT_EQ(*read, (Reply{StatusCode::retry, "m"}));
    }
}

TEST_F(ReplyTest, KnowsBothSpellingsOfTheOldCodes) {
    EXPECT_EQ(readReply("<SC_REPLY STATUS_CODE='LOW_RESOURCES'/>")->code, StatusCode::lowResource);
    EXPECT_EQ(readReply("<SC_REPLY STATUS_CODE='INVALID_XML'/>")->code, StatusCode::invalid);
}

TEST_F(ReplyTest, IsRefusedWhenItIsNone) {
    EXPECT_EQ(readReply("").error().code, ErrorCode::malformed);
    EXPECT_EQ(readReply("<SC_REPLY STATUS_CODE='OK'>").error().code, ErrorCode::malformed);
    EXPECT_EQ(readReply("<SC_REPLY STATUS_CODE='OK'/>x").error().code, ErrorCode::malformed);
    EXPECT_EQ(readReply("<SC_REPLY/>").error().code, ErrorCode::invalid);
    EXPECT_EQ(readReply("<SC_REPLY STATUS_CODE='MAYBE'/>").error().code, ErrorCode::invalid);
    EXPECT_EQ(readReply("<X STATUS_CODE='OK'/>").error().code, ErrorCode::invalid);
    EXPECT_EQ(readReply(test::repeated("<SC_REPLY STATUS_CODE='OK'>", 3000)).error().code,
              ErrorCode::invalid);
}

}  // namespace
}  // namespace crnpd::xml
