// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/arguments.h"

#include <string>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/missed_events.h"

namespace crnpd::crnpctl {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

using Words = std::vector<std::string>;

template <typename Chosen>
Chosen parsed(const Words& words) {
    auto result = parseArguments(words, "1.2.3");
    const auto* const saying = std::get_if<Saying>(&result);
    EXPECT_EQ(saying, nullptr) << (saying == nullptr ? "" : saying->out + saying->err);
    if (saying != nullptr) return {};
    EXPECT_TRUE(std::holds_alternative<Chosen>(std::get<Command>(result)));
    return std::get<Chosen>(std::get<Command>(result));
}

Saying said(const Words& words) {
    auto result = parseArguments(words, "1.2.3");
    EXPECT_TRUE(std::holds_alternative<Saying>(result));
    return std::holds_alternative<Saying>(result) ? std::get<Saying>(result) : Saying{};
}

std::string refusalOf(const Words& words) {
    const auto saying = said(words);
    EXPECT_EQ(saying.status, ExitStatus::usage);
    EXPECT_EQ(saying.out, "");
    return saying.err;
}

TEST(Arguments, EachRegistrationCommandIsARegType) {
    const Words rest{"--port", "2001", "--event", "C"};
    const auto typeOf = [&](Words words) {
        words.insert(words.end(), rest.begin(), rest.end());
        return parsed<RegistrationCommand>(words).message.type;
    };
    EXPECT_EQ(typeOf({"register"}), RegistrationType::addClient);
    EXPECT_EQ(typeOf({"add-events"}), RegistrationType::addEvents);
    EXPECT_EQ(typeOf({"remove-events"}), RegistrationType::removeEvents);
    EXPECT_EQ(parsed<RegistrationCommand>({"unregister", "--port", "1"}).message,
              (RegistrationMessage{RegistrationType::removeClient, 1, {}}));
}

TEST(Arguments, ARegistrationNeedsOnlyThePort) {
    const auto command = parsed<RegistrationCommand>({"register", "--port", "2001"});
    EXPECT_EQ(command.message, (RegistrationMessage{RegistrationType::addClient, 2001, {}}));
    EXPECT_EQ(command.options.server.text(), "127.0.0.1:9444");
    EXPECT_EQ(command.options.exchange.timeout, 10s);
    EXPECT_EQ(command.options.patience.attempts, 5U);
    EXPECT_EQ(command.options.exchange.source, std::nullopt);
    EXPECT_EQ(command.options.form, ReplyForm::text);
}

TEST(Arguments, EventsAreKeptInOrder) {
    const auto command = parsed<RegistrationCommand>(
        {"register", "--port", "1", "--event", "A/B:n=1,n=2", "--event=C:x=y", "--event", "[D]"});
    EXPECT_EQ(command.message.events, (std::vector<EventRegistration>{{"A", "B", {{"n", {"1", "2"}}}},
                                                                      {"C", std::nullopt, {{"x", {"y"}}}},
                                                                      {"[D]", std::nullopt, {}}}));
}

TEST(Arguments, TheOptionsOfAClientAreUnderstood) {
    const auto options =
        parsed<RegistrationCommand>({"unregister", "--port", "1", "--server", "[::1]:7", "--source", "::1",
                                     "--timeout", "250ms", "--attempts", "2", "--json"})
            .options;
    EXPECT_EQ(options.server, (ServerName{"::1", 7}));
    EXPECT_EQ(options.exchange.source->text(), "::1");
    EXPECT_EQ(options.exchange.timeout, 250ms);
    EXPECT_EQ(options.patience.attempts, 2U);
    EXPECT_EQ(options.form, ReplyForm::json);
}

TEST(Arguments, SendTakesAFileOrADash) {
    const auto command = parsed<SendCommand>({"send", "--split", "1", "--half-close", "--raw", "-"});
    EXPECT_EQ(command.file, "-");
    EXPECT_EQ(command.options.exchange.split, 1U);
    EXPECT_TRUE(command.options.exchange.halfClose);
    EXPECT_EQ(command.options.form, ReplyForm::xml);
    EXPECT_EQ(parsed<SendCommand>({"send", "a b.xml"}).file, "a b.xml");
}

TEST(Arguments, ControlCommandsKnowTheirSocket) {
    EXPECT_EQ(parsed<StatusCommand>({"status"}).options.socket, "/run/crnpd/control.sock");
    EXPECT_EQ(parsed<ClientsCommand>({"clients", "--socket", "/x", "--json"}).options.socket, "/x");
    EXPECT_EQ(parsed<ClientsCommand>({"--socket", "/x", "clients"}).options.socket, "/x");
    EXPECT_TRUE(parsed<ClientsCommand>({"clients", "--json"}).options.json);
}

TEST(Arguments, AClientAndAnAddressAreCheckedBeforeTheServerIsAsked) {
    EXPECT_EQ(parsed<ClientShowCommand>({"client", "show", "[2001:DB8::1]:7"}).client.text(),
              "[2001:db8::1]:7");
    EXPECT_EQ(parsed<ClientRemoveCommand>({"client", "remove", "192.0.2.1:7"}).client.text(), "192.0.2.1:7");
    EXPECT_EQ(parsed<AccessTestCommand>({"access", "test", "::ffff:192.0.2.1"}).address.text(), "192.0.2.1");
    refusalOf({"client", "show", "192.0.2.1"});
    refusalOf({"access", "test", "host"});
}

TEST(Arguments, WhatIsWrongIsSaidAndIsAUsageError) {
    EXPECT_THAT(refusalOf({"register"}), HasSubstr("--port"));
    EXPECT_THAT(refusalOf({"register", "--port", "0"}), HasSubstr("--port"));
    EXPECT_THAT(refusalOf({"register", "--port", "65536"}), HasSubstr("--port"));
    EXPECT_THAT(refusalOf({"register", "--port", "x"}), HasSubstr("--port"));
    EXPECT_THAT(refusalOf({"add-events", "--port", "1"}), HasSubstr("--event"));
    EXPECT_THAT(refusalOf({"register", "--port", "1", "--event", "C:x"}), HasSubstr("NAME=VALUE"));
    EXPECT_THAT(refusalOf({"register", "--port", "1", "--event", ""}), HasSubstr("CLASS"));
    EXPECT_THAT(refusalOf({"register", "--port", "1", "--server", "a:b:c"}), HasSubstr("HOST:PORT"));
    EXPECT_THAT(refusalOf({"register", "--port", "1", "--raw", "--json"}), HasSubstr("--raw"));
    EXPECT_THAT(refusalOf({"register", "--port", "1", "stray"}), HasSubstr("stray"));
    EXPECT_THAT(refusalOf({"unregister", "--port", "1", "--event", "C"}), HasSubstr("--event"));
    EXPECT_THAT(refusalOf({"send"}), HasSubstr("FILE"));
    EXPECT_THAT(refusalOf({"send", "f", "--split", "0"}), HasSubstr("--split"));
    EXPECT_THAT(refusalOf({"send", "f", "--attempts", "0"}), HasSubstr("--attempts"));
    EXPECT_NE(refusalOf({}), "");
    EXPECT_NE(refusalOf({"client"}), "");
}

TEST(Arguments, AnEventIsPublishedByItsParts) {
    const auto command =
        parsed<PublishCommand>({"publish", "--class", "C", "--subclass", "S", "--pair", "a=1,2",
                                "--pair=b=x\\,y", "--vendor", "V", "--publisher", "P"});
    EXPECT_EQ(command.event, (Event{"C", "S", "V", "P", {{"a", {"1", "2"}}, {"b", {"x,y"}}}}));
    EXPECT_EQ(command.file, "");
    EXPECT_EQ(parsed<PublishCommand>({"publish", "--class", "C", "--subclass", "S"}).event,
              (Event{"C", "S", "", "rgm", {}}));
}

TEST(Arguments, AnEventIsGivenLongerThanAQuestion) {
    const auto timeoutOf = [](const Words& more) {
        Words words{"publish", "--class", "C", "--subclass", "S"};
        words.insert(words.end(), more.begin(), more.end());
        return parsed<PublishCommand>(words).options.timeout;
    };
    EXPECT_EQ(timeoutOf({}), 30s);
    EXPECT_EQ(timeoutOf({"--timeout", "5s"}), 5s);
    EXPECT_EQ(parsed<EventsCommand>({"events"}).options.timeout, 10s);
}

TEST(Arguments, ARepeatedNameAddsValuesToThePair) {
    const auto event = parsed<PublishCommand>({"publish", "--class", "C", "--subclass", "S", "--pair", "a=1",
                                               "--pair", "b=2", "--pair", "a=3"})
                           .event;
    EXPECT_EQ(event.pairs, (std::vector<NvPair>{{"a", {"1", "3"}}, {"b", {"2"}}}));
}

TEST(Arguments, AnEventMayComeFromAFileInstead) {
    EXPECT_EQ(parsed<PublishCommand>({"publish", "--file", "-", "--socket", "/x"}).file, "-");
    for (const auto* const option : {"--class", "--subclass", "--vendor", "--publisher", "--pair"})
        EXPECT_THAT(refusalOf({"publish", "--file", "f", option, "a=b"}), HasSubstr("--file"));
}

TEST(Arguments, ANoticeThatEventsMayHaveBeenMissedNeedsOnlyItsReason) {
    const auto event = parsed<PublishCommand>({"publish", "--missed", "it was away"}).event;
    EXPECT_EQ(event, missedEvents("rgm", "it was away"));
    const auto other =
        parsed<PublishCommand>({"publish", "--publisher", "P", "--missed", "it was away", "--vendor", "V"})
            .event;
    EXPECT_TRUE(isMissedEvents(other));
    EXPECT_EQ(other.publisher + other.vendor, "PV");
    for (const auto* const option : {"--class", "--subclass", "--pair", "--file"})
        EXPECT_THAT(refusalOf({"publish", "--missed", "why", option, "a=b"}), HasSubstr("--missed"));
    EXPECT_THAT(refusalOf({"publish", "--missed", ""}), HasSubstr("empty"));
}

TEST(Arguments, WhatMakesNoEventIsRefused) {
    EXPECT_THAT(refusalOf({"publish"}), HasSubstr("--class and --subclass, or --file"));
    EXPECT_THAT(refusalOf({"publish", "--class", "C"}), HasSubstr("--subclass"));
    const auto refusalWith = [](const Words& more) {
        Words words{"publish", "--class", "C", "--subclass", "S"};
        words.insert(words.end(), more.begin(), more.end());
        return refusalOf(words);
    };
    EXPECT_THAT(refusalWith({"--pair", "x"}), HasSubstr("NAME=VALUE"));
    EXPECT_THAT(refusalWith({"--pair", "=x"}), HasSubstr("NAME"));
    EXPECT_THAT(refusalWith({"--pair", "a=\\x"}), HasSubstr("backslash"));
    EXPECT_THAT(refusalWith({"--vendor", "\xff"}), HasSubstr("UTF-8"));
    EXPECT_THAT(refusalWith({"--publisher", ""}), HasSubstr("empty"));
    EXPECT_THAT(refusalWith({"stray"}), HasSubstr("stray"));
    EXPECT_THAT(refusalOf({"publish", "--class", "", "--subclass", "S"}), HasSubstr("empty"));
}

TEST(Arguments, EventsAreAskedForByTheirNumber) {
    const auto command = parsed<EventsCommand>({"events", "--most", "5", "--width", "80", "--json"});
    EXPECT_EQ(command.most, 5U);
    EXPECT_EQ(command.width, 80U);
    EXPECT_TRUE(command.options.json);
    EXPECT_EQ(parsed<EventsCommand>({"events"}).most, 20U);
    EXPECT_THAT(refusalOf({"events", "--most", "1001"}), HasSubstr("--most"));
}

TEST(Arguments, HelpOfPublishExplainsPairsAndExitStatus) {
    const auto help = said({"publish", "--help"}).out;
    EXPECT_THAT(help, HasSubstr("NAME=VALUE[,VALUE]..."));
    EXPECT_THAT(help, HasSubstr("15  nobody knows"));
}

TEST(Arguments, HelpAndVersionAreNoErrors) {
    EXPECT_EQ(said({"--version"}).out, "crnpctl 1.2.3\n");
    EXPECT_EQ(said({"--version"}).status, ExitStatus::ok);
    const auto help = said({"--help"});
    EXPECT_EQ(help.status, ExitStatus::ok);
    EXPECT_THAT(help.out, HasSubstr("LOW_RESOURCE"));
    EXPECT_THAT(help.out, HasSubstr("Examples:"));
}

TEST(Arguments, HelpOfRoleExplainsItsExitStatus) {
    const auto help = said({"role", "--help"}).out;
    EXPECT_THAT(help, HasSubstr(" 0  the server is active"));
    EXPECT_THAT(help, HasSubstr("13  standby"));
    EXPECT_THAT(said({"step-down", "--help"}).out, HasSubstr("five seconds"));
    EXPECT_EQ(parsed<StepDownCommand>({"step-down", "--wait", "2s"}).wait, 2s);
    EXPECT_EQ(parsed<StepDownCommand>({"step-down"}).wait, 60s);
}

TEST(Arguments, HelpOfACommandExplainsItsSyntaxDefaultsAndExitStatus) {
    const auto help = said({"register", "--help"}).out;
    EXPECT_THAT(help, HasSubstr("127.0.0.1:9444"));
    EXPECT_THAT(help, HasSubstr("CLASS[/SUBCLASS][:NAME=VALUE[,NAME=VALUE]...]"));
    EXPECT_THAT(help, HasSubstr("backslash"));
    EXPECT_THAT(help, HasSubstr("Exit status:"));
    EXPECT_THAT(said({"client", "show", "--help"}).out, HasSubstr("ADDRESS:PORT"));
}

TEST(Duration, IsANumberAndAUnit) {
    EXPECT_EQ(*parseDuration("500ms"), 500ms);
    EXPECT_EQ(*parseDuration("10s"), 10s);
    EXPECT_EQ(*parseDuration("60m"), 60min);
    for (const auto* const text :
         {"", "10", "s", "0s", "-1s", "61m", "3601s", "9999999999999999999s", "1h", "1 s", "1s "}) {
        EXPECT_FALSE(parseDuration(text)) << text;
    }
}

TEST(ExitStatuses, AreAContract) {
    const std::vector<std::pair<StatusCode, int>> contract{
        {StatusCode::ok, 0},
        {StatusCode::retry, 4},
        {StatusCode::lowResource, 5},
        {StatusCode::systemError, 6},
        {StatusCode::fail, 7},
        {StatusCode::malformed, 8},
        {StatusCode::invalid, 9},
        {StatusCode::versionTooHigh, 10},
        {StatusCode::versionTooLow, 11},
    };
    for (const auto& [code, status] : contract) {
        EXPECT_EQ(static_cast<int>(exitStatusOf(code)), status);
        EXPECT_THAT(exitStatusTable(), HasSubstr(name(code)));
    }
}

}  // namespace
}  // namespace crnpd::crnpctl
