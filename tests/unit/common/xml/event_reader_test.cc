// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// What the reader of events accepts, what it makes of it, and what it refuses with which words. The order of
// the checks is that of the reader of registrations, which has the longer list of cases.
#include "common/xml/event_reader.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "common/xml/registration_reader.h"
#include "tests/unit/common/xml/documents.h"

namespace crnpd::xml {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class EventReaderTest : public testing::Test {
protected:
    Event accepted(std::string_view document) {
        auto event = reader_.parse(document);
        if (event) return *std::move(event);
        ADD_FAILURE() << document << ": " << event.error().text;
        return {};
    }
    void expectRefused(std::string_view document, ErrorCode code, unsigned line, const std::string& words) {
        const auto result = reader_.parse(document);
        ASSERT_FALSE(result) << document;
        EXPECT_EQ(result.error().code, code) << document << ": " << result.error().text;
        EXPECT_EQ(result.error().line, line) << document;
        EXPECT_THAT(result.error().text, HasSubstr(words)) << document;
    }

    Runtime runtime_;
    EventReader reader_{runtime_};
};

TEST_F(EventReaderTest, ReadsAUsualEventWithItsPairsInTheirOrder) {
    const Event expected{
        "EC_Cluster",
        "ESC_cluster_rg_state",
        "SUNW",
        "rgm",
        {{"rg_name", {"web-rg"}}, {"node_list", {"a", "b"}}, {"state_list", {"ONLINE", "OFFLINE"}}}};
    EXPECT_EQ(accepted(test::usualEvent), expected);
}

TEST_F(EventReaderTest, TakesAttributesInAnyOrderAndKeepsRepeatedPairs) {
    const auto event = accepted(
        "<SC_EVENT PUBLISHER='p' VENDOR='v' VERSION=' 1.0 ' SUBCLASS='' CLASS=' c '><NVPAIR><NAME>n</NAME>"
        "<VALUE> x </VALUE></NVPAIR><NVPAIR><NAME>n</NAME><VALUE> x </VALUE></NVPAIR></SC_EVENT>");
    EXPECT_EQ(event.eventClass, " c ");
    EXPECT_EQ(event.subclass, "");
    EXPECT_THAT(event.pairs, ElementsAre(NvPair{"n", {" x "}}, NvPair{"n", {" x "}}));
}

TEST_F(EventReaderTest, ToleratesADoctypeThatItNeverReads) {
    const std::string root = test::event("");
    EXPECT_EQ(accepted("<!DOCTYPE SC_EVENT SYSTEM 'file:///nowhere/at/all.dtd'>" + root).eventClass, "c");
    expectRefused("<!DOCTYPE SC_EVENT [<!ENTITY e 'x'>]>" + root, ErrorCode::invalid, 1, "internal subset");
    expectRefused(test::event("&e;"), ErrorCode::malformed, 1, "entities");
}

TEST_F(EventReaderTest, RefusesWithTheCodeAndWordsOfTheFirstCheckThatFails) {
    const std::string attributes = "CLASS='c' SUBCLASS='s' VENDOR='v' PUBLISHER='p' ";
    expectRefused("", ErrorCode::malformed, 1, "begin with");
    expectRefused("<SC_EVENT>", ErrorCode::malformed, 1, "ends before the end tag");
    expectRefused("<SC_EVENT/><SC_EVENT/>", ErrorCode::malformed, 1, "follows the end");
    expectRefused(test::usualMessage, ErrorCode::invalid, 1, "expected SC_EVENT");
    expectRefused("<SC_EVENT VERSION='2.0'/>", ErrorCode::versionTooHigh, 1, "VERSION");
    expectRefused("<SC_EVENT VERSION='0.9'/>", ErrorCode::versionTooLow, 1, "VERSION");
    expectRefused("<SC_EVENT VERSION='x' " + attributes + "/>", ErrorCode::invalid, 1, "VERSION");
    expectRefused("<SC_EVENT\nCLASS='c' VENDOR='v' PUBLISHER='p'/>", ErrorCode::invalid, 2,
                  "SC_EVENT lacks the attribute SUBCLASS");
    expectRefused(
        "<SC_EVENT PORT='1' " + attributes + "/>", ErrorCode::invalid, 1,
        "SC_EVENT has no attribute \"PORT\"; its attributes are CLASS, SUBCLASS, VENDOR, PUBLISHER");
    expectRefused("<SC_EVENT xmlns='a' " + attributes + "/>", ErrorCode::invalid, 1, "namespaces");
    expectRefused(test::event("\n<SC_EVENT_REG CLASS='c'/>"), ErrorCode::invalid, 2, "expected NVPAIR");
    expectRefused(test::event("text"), ErrorCode::invalid, 1, "must not stand in SC_EVENT");
    expectRefused(test::event("<NVPAIR><NAME/></NVPAIR>"), ErrorCode::invalid, 1, "NVPAIR has no VALUE");
    expectRefused(test::event(test::repeated("<a>", 300) + test::repeated("</a>", 400)), ErrorCode::invalid,
                  1, "expected NVPAIR");
}

TEST_F(EventReaderTest, ReadsOnAfterARefusalAndBesideARegistrationReader) {
    RegistrationReader registrations(runtime_);
    for (const std::string& document :
         {test::event("<X>"), test::event("<X/>"), "<?xml version='1.1'?>" + test::event(""),
          std::string("x"),
          test::event(test::repeated("<NVPAIR><NAME>n</NAME><VALUE/></NVPAIR>", 200000) + "<X/>")}) {
        EXPECT_FALSE(reader_.parse(document));
        EXPECT_EQ(accepted(test::usualEvent).pairs.size(), 3U);
        EXPECT_TRUE(registrations.parse(test::usualMessage).has_value());
        EXPECT_FALSE(registrations.parse(test::usualEvent).has_value());
    }
}

}  // namespace
}  // namespace crnpd::xml
