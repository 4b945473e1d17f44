// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/event_document.h"

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/xml/event_writer.h"
#include "common/xml/runtime.h"
#include "tests/unit/server/control/scripted_operations.h"

namespace crnpd::control {
namespace {

class EventDocumentTest : public testing::Test {
protected:
    std::optional<Reply> publish(std::deque<std::string> pieces, bool hasEnd = true) {
        const auto read = [&]() -> Result<std::string> {
            if (pieces.empty() && !hasEnd) return Error{ErrorCode::io, "timed out"};
            if (pieces.empty()) return std::string();
            auto piece = std::move(pieces.front());
            pieces.pop_front();
            return piece;
        };
        return publishDocument(read, reader, operations);
    }
    Reply answerTo(const std::string& bytes) {
        const auto reply = publish({bytes});
        EXPECT_TRUE(reply);
        return reply.value_or(Reply{});
    }
    // Of a pair with so many bytes that the whole is as long as wanted.
    std::string ofLength(std::size_t length) {
        auto large = event;
        large.pairs[0].values[0] = "";
        large.pairs[0].values[0] = std::string(length - xml::writeEvent(large).size(), 'x');
        return xml::writeEvent(large);
    }

    const Event event{"C", "S", "V", "P", {{"n", {"v"}}}};
    const std::string document = xml::writeEvent(event);
    const xml::Runtime runtime;
    xml::EventReader reader{runtime};
    ScriptedOperations operations;
};

TEST_F(EventDocumentTest, IsPublishedHoweverItIsSplit) {
    for (std::size_t at = 1; at < document.size(); ++at)
        EXPECT_EQ(publish({document.substr(0, at), document.substr(at)})->code, StatusCode::ok) << at;
    std::deque<std::string> bytes;
    for (const char byte : document)
        bytes.emplace_back(1, byte);
    EXPECT_EQ(publish(bytes, false), (Reply{StatusCode::ok, "event 17 published"}));
    EXPECT_EQ(operations.published, std::vector(document.size(), event));
}

TEST_F(EventDocumentTest, WhatIsWrongIsAnsweredWithItsCodeAndLine) {
    EXPECT_EQ(answerTo("<SC_EVENT\n\nCLASS=>").code, StatusCode::malformed);
    const auto invalid = answerTo("<SC_EVENT\n CLASS='C' SUBCLASS='S' VENDOR='V'/>");
    EXPECT_EQ(invalid.code, StatusCode::invalid);
    EXPECT_NE(invalid.text.find("line "), std::string::npos) << invalid.text;
    EXPECT_EQ(answerTo("<SC_CALLBACK_REG/>").code, StatusCode::invalid);
    EXPECT_EQ(answerTo("<SC_EVENT VERSION='1.1'/>").code, StatusCode::versionTooHigh);
    EXPECT_EQ(answerTo("<SC_EVENT VERSION='0.9'/>").code, StatusCode::versionTooLow);
    EXPECT_TRUE(operations.published.empty());
}

TEST_F(EventDocumentTest, TwoDocumentsAreMalformed) {
    EXPECT_EQ(answerTo(document + document).code, StatusCode::malformed);
    EXPECT_EQ(answerTo(document + "{}").code, StatusCode::malformed);
    EXPECT_TRUE(operations.published.empty());
    EXPECT_EQ(answerTo(document + "\r\n <!-- the end -->\n").code, StatusCode::ok);
}

TEST_F(EventDocumentTest, WhatIsCutOffIsMalformedAndWhatDoesNotEndInTimeMayBeRepeated) {
    for (std::size_t length = 1; length < document.size(); ++length) {
        EXPECT_EQ(publish({document.substr(0, length)})->code, StatusCode::malformed) << length;
        EXPECT_EQ(publish({document.substr(0, length)}, false)->code, StatusCode::retry) << length;
    }
    EXPECT_TRUE(operations.published.empty());
}

TEST_F(EventDocumentTest, HasALongestLength) {
    EXPECT_EQ(answerTo(ofLength(longestDocument)).code, StatusCode::ok);
    EXPECT_EQ(answerTo(ofLength(longestDocument + 1)).code, StatusCode::lowResource);
    EXPECT_EQ(operations.published.size(), 1U);
}

TEST_F(EventDocumentTest, WhatCannotBePublishedIsAnsweredWithTheReason) {
    const std::vector<std::pair<ErrorCode, StatusCode>> table{{ErrorCode::busy, StatusCode::retry},
                                                              {ErrorCode::noSpace, StatusCode::lowResource},
                                                              {ErrorCode::io, StatusCode::systemError}};
    for (const auto& [error, code] : table) {
        operations.number = Error{error, "because"};
        EXPECT_EQ(publish({document}), (Reply{code, "because"}));
    }
}

TEST_F(EventDocumentTest, WhereNobodyKnowsThereIsNoReply) {
    operations.number = Error{ErrorCode::superseded, "another server leads"};
    EXPECT_EQ(publish({document}), std::nullopt);
}

}  // namespace
}  // namespace crnpd::control
