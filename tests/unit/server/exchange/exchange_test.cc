// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/exchange/exchange.h"

#include <vector>

#include <gtest/gtest.h>

namespace crnpd::exchange {
namespace {

constexpr std::string_view addClient =
    R"(<?xml version="1.0"?><SC_CALLBACK_REG PORT="2001" REG_TYPE="ADD_CLIENT"><SC_EVENT_REG CLASS="A"/></SC_CALLBACK_REG>)";

// Keeps what was asked until the test decides.
class HeldDecider final : public Decider {
public:
    void decide(const IpAddress& peer, const IpAddress& local, RegistrationMessage message,
                Decided decided) override {
        peers.push_back(peer);
        locals.push_back(local);
        messages.push_back(std::move(message));
        pending.push_back(std::move(decided));
    }
    void finish(Decision decision) { pending.at(0)(std::move(decision)); }

    std::vector<IpAddress> peers;
    std::vector<IpAddress> locals;
    std::vector<RegistrationMessage> messages;
    std::vector<Decided> pending;
};

class ExchangeTest : public testing::Test, private Exchange::Listener {
protected:
    void onAnswer(const Answer& answer) override {
        answers.push_back(answer);
        wasOpenAtTheReply = gate->isOpen();
    }
    [[nodiscard]] IpAddress local() const noexcept override { return *IpAddress::parse("192.0.2.99"); }

    std::shared_ptr<Exchange> open() {
        return std::make_shared<Exchange>(tools, *IpAddress::parse("192.0.2.7"),
                                          static_cast<Exchange::Listener&>(*this));
    }
    StatusCode refusal() { return answers.at(0).reply.value().code; }

    xml::Runtime runtime;
    xml::RegistrationReader reader{runtime};
    HeldDecider decider;
    MemoryBudget memory{100000};  // room for every message that a test leaves undecided
    Tools tools{reader, decider, memory, 2000};
    std::shared_ptr<ReplyGate> gate = std::make_shared<ReplyGate>();
    bool wasOpenAtTheReply = false;
    std::vector<Answer> answers;
    std::shared_ptr<Exchange> exchange = open();
};

TEST_F(ExchangeTest, RepliesOnlyAfterTheDecision) {
    EXPECT_FALSE(exchange->onBytes(addClient));
    EXPECT_TRUE(answers.empty());

    decider.finish({Reply{StatusCode::ok, "done"}, 1});
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].reply, (Reply{StatusCode::ok, "done"}));
    EXPECT_EQ(answers[0].port, 2001);
    EXPECT_TRUE(answers[0].messageIsWhole);
}

TEST_F(ExchangeTest, HandsOnWhoAskedForWhat) {
    exchange->onBytes(addClient);
    EXPECT_EQ(decider.peers.at(0).text(), "192.0.2.7");
    EXPECT_EQ(decider.locals.at(0).text(), "192.0.2.99");
    EXPECT_EQ(decider.messages.at(0).type, RegistrationType::addClient);
    EXPECT_EQ(decider.messages.at(0).events.at(0).eventClass, "A");
}

TEST_F(ExchangeTest, TakesAMessageHoweverItIsSplit) {
    for (std::size_t cut = 1; cut < addClient.size(); ++cut) {
        auto split = open();
        EXPECT_TRUE(split->onBytes(addClient.substr(0, cut))) << cut;
        EXPECT_FALSE(split->onBytes(addClient.substr(cut))) << cut;
    }
    auto slow = open();
    for (const char& byte : addClient)
        slow->onBytes({&byte, 1});
    EXPECT_EQ(decider.messages.size(), addClient.size());
    EXPECT_TRUE(answers.empty());
}

TEST_F(ExchangeTest, TakesAMessageAfterWhichTheClientHalfCloses) {
    exchange->onBytes(addClient);
    exchange->onEnd();
    EXPECT_EQ(decider.messages.size(), 1U);
}

TEST_F(ExchangeTest, AMessageThatIsCutOffIsMalformed) {
    exchange->onBytes(addClient.substr(0, 40));
    exchange->onEnd();
    EXPECT_EQ(refusal(), StatusCode::malformed);
    EXPECT_TRUE(decider.messages.empty());
}

TEST_F(ExchangeTest, ASecondMessageBehindTheFirstIsMalformedAndNothingIsDone) {
    exchange->onBytes(std::string(addClient) + std::string(addClient));
    EXPECT_EQ(refusal(), StatusCode::malformed);
    EXPECT_TRUE(decider.messages.empty());
}

TEST_F(ExchangeTest, AMessageLongerThanTheLimitIsLowResourceBeforeItsEnd) {
    const std::string start = "<SC_CALLBACK_REG PORT=\"1\" REG_TYPE=\"ADD_CLIENT\"><!--";
    EXPECT_TRUE(exchange->onBytes(start));
    EXPECT_FALSE(exchange->onBytes(std::string(2000, 'x')));
    EXPECT_EQ(refusal(), StatusCode::lowResource);
    EXPECT_FALSE(answers[0].messageIsWhole);
}

TEST_F(ExchangeTest, AWholeMessageLongerThanTheLimitIsLowResourceToo) {
    exchange->onBytes(std::string(addClient) + std::string(2000, '\n'));
    EXPECT_EQ(refusal(), StatusCode::lowResource);
    EXPECT_TRUE(decider.messages.empty());
}

TEST_F(ExchangeTest, UnfinishedMessagesOfAllConnectionsShareOneBudget) {
    memory.setLimit(100);
    auto other = open();
    EXPECT_TRUE(exchange->onBytes("<!--" + std::string(60, 'x')));
    EXPECT_FALSE(other->onBytes("<!--" + std::string(60, 'x')));
    EXPECT_EQ(refusal(), StatusCode::lowResource);

    exchange.reset();
    EXPECT_EQ(memory.used(), 0U);
}

TEST_F(ExchangeTest, AMessageIsCountedUntilItIsAnswered) {
    exchange->onBytes(addClient);
    EXPECT_EQ(memory.used(), addClient.size());
    decider.finish({Reply{StatusCode::ok, ""}, 1});
    EXPECT_EQ(memory.used(), 0U);
}

TEST_F(ExchangeTest, ARefusalInTimeIsTheAnswerAndALateOneChangesNothing) {
    exchange->refuse({StatusCode::retry, "too slow"});
    EXPECT_EQ(refusal(), StatusCode::retry);
    EXPECT_FALSE(exchange->onBytes(addClient));

    auto decided = open();
    decided->onBytes(addClient);
    decided->refuse({StatusCode::retry, "too slow"});
    EXPECT_EQ(answers.size(), 1U) << "what is being decided is answered by its decision alone";
}

TEST_F(ExchangeTest, AClientThatLeftIsRegisteredAllTheSame) {
    exchange->onBytes(addClient);
    exchange->left();
    exchange.reset();
    decider.finish({Reply{StatusCode::ok, ""}, 1});
    EXPECT_TRUE(answers.empty());
    EXPECT_EQ(decider.messages.size(), 1U);
}

TEST_F(ExchangeTest, OpensTheGateAfterTheReplyAndNotBefore) {
    exchange->onBytes(addClient);
    decider.finish({Reply{StatusCode::ok, ""}, 1, ReplyHold(gate)});
    EXPECT_EQ(answers.size(), 1U);
    EXPECT_FALSE(wasOpenAtTheReply);
    EXPECT_TRUE(gate->isOpen());
}

TEST_F(ExchangeTest, OpensTheGateOfAClientThatLeft) {
    exchange->onBytes(addClient);
    exchange->left();
    exchange.reset();
    decider.finish({Reply{StatusCode::ok, ""}, 1, ReplyHold(gate)});
    EXPECT_TRUE(answers.empty());
    EXPECT_TRUE(gate->isOpen());
}

TEST_F(ExchangeTest, OpensTheGateWhenThereIsNoReply) {
    exchange->onBytes(addClient);
    decider.finish({std::nullopt, 0, ReplyHold(gate)});
    EXPECT_TRUE(gate->isOpen());
}

TEST_F(ExchangeTest, AnUnknownOutcomeIsPassedOnAsNoReply) {
    exchange->onBytes(addClient);
    decider.finish({std::nullopt, 0});
    EXPECT_EQ(answers.at(0).reply, std::nullopt);
}

TEST_F(ExchangeTest, EveryFaultOfADocumentHasItsCode) {
    const std::vector<std::pair<std::string, StatusCode>> documents{
        {"<SC_CALLBACK_REG PORT=1/>", StatusCode::malformed},
        {"<OTHER/>", StatusCode::invalid},
        {R"(<SC_CALLBACK_REG VERSION="2.0" PORT="1" REG_TYPE="ADD_CLIENT"/>)", StatusCode::versionTooHigh},
        {R"(<SC_CALLBACK_REG VERSION="0.9" PORT="1" REG_TYPE="ADD_CLIENT"/>)", StatusCode::versionTooLow},
        {R"(<SC_CALLBACK_REG PORT="0" REG_TYPE="ADD_CLIENT"/>)", StatusCode::invalid},
    };
    for (const auto& [document, code] : documents) {
        answers.clear();
        open()->onBytes(document);
        EXPECT_EQ(refusal(), code) << document;
    }
}

}  // namespace
}  // namespace crnpd::exchange
