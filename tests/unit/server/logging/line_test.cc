// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/logging/line.h"

#include <algorithm>
#include <mutex>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "common/messages.h"

namespace crnpd::logging {
namespace {

// Keeps the shapes of the last line.
class ShapesSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    std::string text, json;
    std::vector<std::string> fields;

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        text = asText(message);
        json = asJson(message);
        fields = asJournalFields(message);
    }
    void flush_() override {}
};

class LineTest : public testing::Test {
protected:
    LineTest() { spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", shapes)); }
    ~LineTest() override { spdlog::set_default_logger(std::make_shared<spdlog::logger>("none")); }

    [[nodiscard]] bool hasField(const std::string& field) const {
        return std::ranges::find(shapes->fields, field) != shapes->fields.end();
    }

    std::shared_ptr<ShapesSink> shapes = std::make_shared<ShapesSink>();
};

TEST_F(LineTest, TextIsForAPerson) {
    log(msg::registered, "192.0.2.1:2001", "ADD_CLIENT", "OK", 2U, 1.25);
    EXPECT_TRUE(shapes->text.ends_with(
        "Z info  CRNPD-REG-001 192.0.2.1:2001 ADD_CLIENT OK: 2 registrations, 1.2 ms\n"))
        << shapes->text;
}

TEST_F(LineTest, JsonHasEveryPartAsAMemberOfItsType) {
    log(msg::registered, "192.0.2.1:2001", "ADD_CLIENT", "OK", 2U, 1.25);
    const auto json = nlohmann::json::parse(shapes->json);
    EXPECT_EQ(json["id"], "CRNPD-REG-001");
    EXPECT_EQ(json["level"], "info");
    EXPECT_EQ(json["client"], "192.0.2.1:2001");
    EXPECT_EQ(json["registrations"], 2);
    EXPECT_EQ(json["milliseconds"], 1.25);
}

TEST_F(LineTest, TheJournalGetsFields) {
    log(msg::registered, "192.0.2.1:2001", "ADD_CLIENT", "OK", 2U, 1.25);
    EXPECT_TRUE(hasField("MESSAGE=CRNPD-REG-001 192.0.2.1:2001 ADD_CLIENT OK: 2 registrations, 1.2 ms"));
    EXPECT_TRUE(hasField("PRIORITY=6"));
    EXPECT_TRUE(hasField("CRNPD_ID=CRNPD-REG-001"));
    EXPECT_TRUE(hasField("CRNPD_CLIENT=192.0.2.1:2001"));
    EXPECT_TRUE(hasField("CRNPD_CODE=OK"));
}

TEST_F(LineTest, WhatAClientSentCannotBreakTheLine) {
    log(msg::cannotStart, "a\nb\x1f\x1b[2J\xff\xc2\x9b é \x7f");
    EXPECT_NE(shapes->text.find("a\\x0Ab\\x1F\\x1B[2J\\xFF\\xC2\\x9B é \\x7F\n"), std::string::npos)
        << shapes->text;
    EXPECT_EQ(nlohmann::json::parse(shapes->json)["reason"], "a\\x0Ab\\x1F\\x1B[2J\\xFF\\xC2\\x9B é \\x7F");
}

TEST_F(LineTest, WhatAClientSentIsCut) {
    log(msg::cannotStart, std::string(100000, 'x'));
    EXPECT_LT(shapes->text.size(), 500U);
    EXPECT_NE(shapes->text.find("x…\n"), std::string::npos);
}

TEST_F(LineTest, ALevelThatIsOffCostsNothingAndWritesNothing) {
    spdlog::default_logger_raw()->set_level(spdlog::level::warn);
    log(msg::stopping, "SIGTERM");
    EXPECT_TRUE(shapes->text.empty());
}

TEST_F(LineTest, ALibrarysOwnLineIsATextWithoutAnId) {
    spdlog::warn("something else");
    EXPECT_TRUE(shapes->text.ends_with("warn  - something else\n")) << shapes->text;
}

}  // namespace
}  // namespace crnpd::logging
