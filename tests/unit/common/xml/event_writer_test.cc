// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/event_writer.h"

#include <array>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "common/xml/event_reader.h"
#include "common/xml/message_end.h"
#include "tests/unit/common/xml/documents.h"

namespace crnpd::xml {
namespace {

TEST(EventWriter, WritesOneLineWithoutADoctype) {
    const Event event{
        "EC_Cluster",
        "ESC_cluster_rg_state",
        "SUNW",
        "rgm",
        {{"rg_name", {"web-rg"}}, {"node_list", {"a", "b"}}, {"state_list", {"ONLINE", "OFFLINE"}}}};
    EXPECT_EQ(writeEvent(event), test::usualEvent);
}

TEST(EventWriter, WritesAnEventWithoutPairsAsOneEmptyElement) {
    EXPECT_TRUE(writeEvent({"c", "s", "v", "p", {}}).ends_with(R"(PUBLISHER="p"/>)"));
}

TEST(EventWriter, SaysWhatXmlCannotHold) {
    EXPECT_TRUE(isWritable({"c", "", "\xC3\xA4", "\t\n", {{"", {""}}}}));
    EXPECT_FALSE(isWritable({"\x01", "s", "v", "p", {}}));
    EXPECT_FALSE(isWritable({"c", "\xFF", "v", "p", {}}));
    EXPECT_FALSE(isWritable({"c", "s", std::string(1, '\0'), "p", {}}));
    EXPECT_FALSE(isWritable({"c", "s", "v", "\xEF\xBF\xBE", {}}));
    EXPECT_FALSE(isWritable({"c", "s", "v", "p", {{"n\x02", {"x"}}}}));
    EXPECT_FALSE(isWritable({"c", "s", "v", "p", {{"n", {"x", "\x03"}}}}));
    EXPECT_FALSE(isWritable({"c", "s", "v", "p", {{"n", {}}}}));
}

TEST(EventWriter, ReplacesWhatXmlCannotHold) {
    Runtime runtime;
    EventReader reader(runtime);
    const auto read = reader.parse(writeEvent({"a\x01", "s", "v", "p", {{"\xFF", {""}}}}));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->eventClass, "a\xEF\xBF\xBD");
    EXPECT_EQ(read->pairs.at(0).name, "\xEF\xBF\xBD");
}

class Generator {
public:
    explicit Generator(unsigned seed) : random_(seed) {}

    Event event() {
        Event event{text(), text(), text(), text(), {}};
        for (unsigned i = below(4); i > 0; --i) {
            NvPair pair{text(), {text()}};
            for (unsigned k = below(3); k > 0; --k)
                pair.values.push_back(text());
            event.pairs.push_back(std::move(pair));
        }
        return event;
    }

private:
    unsigned below(unsigned limit) { return std::uniform_int_distribution<unsigned>(0, limit - 1)(random_); }

    // Mostly of what is hard to write.
    std::string text() {
        constexpr std::array pieces{"a",
                                    "]]>",
                                    "]]",
                                    ">",
                                    "<",
                                    "&",
                                    "\"",
                                    "'",
                                    "\r",
                                    "\n",
                                    "\r\n",
                                    "\t",
                                    " ",
                                    "&#13;",
                                    "<![CDATA[",
                                    "\xC3\xA4",
                                    "-->",
                                    "\x7F",
                                    "%",
                                    "&#10;",
                                    "\xC2\x85",
                                    "\xE2\x80\xA8",
                                    "\xF0\x9F\x98\x80",
                                    "\xEF\xBF\xBD",
                                    "\xEF\xBB\xBF"};
        std::string out;
        for (unsigned i = below(6); i > 0; --i)
            out += pieces.at(below(pieces.size()));
        return out;
    }

    std::mt19937 random_;
};

TEST(EventWriter, IsReadBackTheSameWhateverTheTexts) {
    Runtime runtime;
    EventReader reader(runtime);
    for (unsigned seed = 0; seed < 5000; ++seed) {
        const Event event = Generator(seed).event();
        ASSERT_TRUE(isWritable(event));
        const std::string document = writeEvent(event);
        ASSERT_EQ(document.find_first_of("\r\n"), std::string::npos) << document;
        MessageEnd end;
        ASSERT_EQ(end.feed(document), MessageEnd::Verdict::complete) << document;
        ASSERT_EQ(end.length(), document.size()) << document;
        const auto read = reader.parse(document);
        ASSERT_TRUE(read) << "seed " << seed << ": " << read.error().text << "\n" << document;
        ASSERT_EQ(*read, event) << "seed " << seed << ": " << document;
    }
}

}  // namespace
}  // namespace crnpd::xml
