// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/crnpctl/control_printer.h"
#include "tools/crnpctl/printable.h"
#include "tools/crnpctl/reply_printer.h"

namespace crnpd::crnpctl {
namespace {

using ::testing::HasSubstr;

std::string printed(const FinalReply& reply, ReplyForm form) {
    std::ostringstream out;
    printReply(out, reply, form);
    return out.str();
}

TEST(Printable, KeepsTextAndEscapesWhatATerminalWouldObey) {
    EXPECT_EQ(printable("Grüße \\ €𝄞"), "Grüße \\ €𝄞");
    EXPECT_EQ(printable("\x1b[2J\n\x7f"), R"(\x1b[2J\x0a\x7f)");
    EXPECT_EQ(printable("a\u009bb"), R"(a\xc2\x9bb)");
    EXPECT_EQ(printable(std::string("\0", 1)), R"(\x00)");
}

TEST(Printable, ShowsTheBytesOfBrokenUtf8) {
    EXPECT_EQ(printable("a\xffz"), R"(a\xffz)");
    EXPECT_EQ(printable("\xe2\x82"), R"(\xe2\x82)");
    EXPECT_EQ(printable("\xc3(\xed\xa0\x80"), R"(\xc3(\xed\xa0\x80)");
}

TEST(ReplyPrinter, PrintsCodeAndMessageInOneLine) {
    EXPECT_EQ(printed({{StatusCode::ok, "registered"}, "<x/>"}, ReplyForm::text), "OK: registered\n");
    EXPECT_EQ(printed({{StatusCode::fail, ""}, "<x/>"}, ReplyForm::text), "FAIL\n");
    EXPECT_EQ(printed({{StatusCode::fail, "a\nb"}, "<x/>"}, ReplyForm::text), "FAIL: a\\x0ab\n");
}

TEST(ReplyPrinter, PrintsTheDocumentAsItCame) {
    EXPECT_EQ(printed({{StatusCode::ok, "m"}, "<x/>"}, ReplyForm::xml), "<x/>\n");
    EXPECT_EQ(printed({{StatusCode::ok, "m"}, "<x/>\n"}, ReplyForm::xml), "<x/>\n");
}

TEST(ReplyPrinter, PrintsJsonWhateverTheMessageHolds) {
    EXPECT_EQ(printed({{StatusCode::lowResource, "a \"b\""}, ""}, ReplyForm::json),
              "{\"message\":\"a \\\"b\\\"\",\"status\":\"LOW_RESOURCE\"}\n");
    EXPECT_THAT(printed({{StatusCode::ok, "\xff"}, ""}, ReplyForm::json), HasSubstr("\"OK\""));
}

TEST(ControlPrinter, ShowsRegistrationsAsTheyAreTyped) {
    std::ostringstream out;
    printClientDetails(out,
                       {"127.0.0.1:2001", 7, {{"C", std::nullopt, {}}, {"C", "S", {{"n", {"\x1b", "2"}}}}}});
    EXPECT_EQ(out.str(),
              "client        127.0.0.1:2001\n"
              "id            7\n"
              "events        2\n"
              "  C\n"
              "  C/S:n=\\x1b,n=2\n");
}

}  // namespace
}  // namespace crnpd::crnpctl
