// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/event_printer.h"

#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace crnpd::crnpctl {
namespace {

const WallTime noon(std::chrono::milliseconds(1'738'324'800'123));

const Event stateChange{"EC_Cluster",
                        "ESC_cluster_rg_state",
                        "SUNW",
                        "rgm",
                        {{"rg_name", {"web-rg"}}, {"node_list", {"n1", "n2"}}}};

std::string printed(const Event& event, EventForm form, const std::string& document = "<x/>") {
    std::ostringstream out;
    EXPECT_TRUE(EventPrinter(out, form).print(noon, event, document));
    return out.str();
}

TEST(EventPrinter, PrintsAnEventAsOneLine) {
    EXPECT_EQ(printed(stateChange, EventForm::text),
              "2025-01-31T12:00:00.123Z EC_Cluster/ESC_cluster_rg_state SUNW rgm rg_name=web-rg "
              "node_list=[n1, n2]\n");
}

TEST(EventPrinter, AnEventWithoutPairsEndsBehindItsPublisher) {
    EXPECT_EQ(printed({"C", "S", "v", "p", {}}, EventForm::text), "2025-01-31T12:00:00.123Z C/S v p\n");
}

TEST(EventPrinter, WhatATerminalWouldObeyIsEscapedInEveryPart) {
    const Event hostile{"C\x1b", "S\n", "v\r", "p\u009b", {{"n\x7f", {"a\nb"}}, {"m", {"\t", "c"}}}};
    EXPECT_EQ(printed(hostile, EventForm::text),
              "2025-01-31T12:00:00.123Z C\\x1b/S\\x0a v\\x0d p\\xc2\\x9b n\\x7f=a\\x0ab m=[\\x09, c]\n");
}

TEST(EventPrinter, PrintsAnObjectALineWithTheTypeFirst) {
    EXPECT_EQ(printed(stateChange, EventForm::json),
              R"({"time":"2025-01-31T12:00:00.123Z","class":"EC_Cluster","subclass":"ESC_cluster_rg_state",)"
              R"("vendor":"SUNW","publisher":"rgm","pairs":[{"name":"rg_name","values":["web-rg"]},)"
              R"({"name":"node_list","values":["n1","n2"]}]})"
              "\n");
}

TEST(EventPrinter, JsonStaysOneLineWhateverTheEventHolds) {
    const auto line = printed({"C\n", "S", "\"", "\xff", {}}, EventForm::json);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    EXPECT_EQ(nlohmann::json::parse(line)["class"], "C\n");
    EXPECT_EQ(nlohmann::json::parse(line)["pairs"], nlohmann::json::array());
}

TEST(EventPrinter, PrintsTheDocumentAsItCameAndEndsTheLine) {
    EXPECT_EQ(printed(stateChange, EventForm::xml, "<a>\x1b</a>"), "<a>\x1b</a>\n");
    EXPECT_EQ(printed(stateChange, EventForm::xml, "<a/>\n"), "<a/>\n");
}

TEST(EventPrinter, AnOutputThatTakesNoMoreIsNoticedAtOnce) {
    std::ostringstream out;
    out.setstate(std::ios::badbit);
    EXPECT_FALSE(EventPrinter(out, EventForm::text).print(noon, stateChange, ""));
}

}  // namespace
}  // namespace crnpd::crnpctl
