// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/registration_writer.h"

#include <array>
#include <random>

#include <gtest/gtest.h>

#include "common/xml/message_end.h"
#include "common/xml/registration_reader.h"
#include "tests/unit/common/xml/documents.h"

namespace crnpd::xml {
namespace {

TEST(RegistrationWriter, WritesAsTheSampleClientDoes) {
    const RegistrationMessage message{RegistrationType::addClient,
                                      2001,
                                      {{"EC_Cluster", "ESC_cluster_membership", {}},
                                       {"EC_Cluster", "ESC_cluster_rg_state", {{"rg_name", {"web-rg"}}}}}};
    EXPECT_EQ(writeRegistration(message), test::usualMessage);
}

TEST(RegistrationWriter, WritesARemovalAsOneEmptyElement) {
    EXPECT_TRUE(
        writeRegistration({RegistrationType::removeClient, 2001, {}}).ends_with(test::leavingMessage));
}

TEST(RegistrationWriter, ReplacesWhatXmlCannotHold) {
    Runtime runtime;
    RegistrationReader reader(runtime);
    const auto read =
        reader.parse(writeRegistration({RegistrationType::addClient, 1, {{"a\x01", {}, {{"\xFF", {""}}}}}}));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->events.at(0).eventClass, "a\xEF\xBF\xBD");
    EXPECT_EQ(read->events.at(0).pairs.at(0).name, "\xEF\xBF\xBD");
}

class Generator {
public:
    explicit Generator(unsigned seed) : random_(seed) {}

    RegistrationMessage message() {
        constexpr std::array types{RegistrationType::addClient, RegistrationType::addEvents,
                                   RegistrationType::removeClient, RegistrationType::removeEvents};
        RegistrationMessage message{types.at(below(4)), static_cast<std::uint16_t>(1 + below(65535)), {}};
        for (unsigned i = below(4); i > 0; --i)
            message.events.push_back(event());
        return message;
    }

private:
    unsigned below(unsigned limit) { return std::uniform_int_distribution<unsigned>(0, limit - 1)(random_); }

    EventRegistration event() {
        EventRegistration event{text(), {}, {}};
        if (below(2) == 0) event.subclass = text();
        for (unsigned i = below(4); i > 0; --i) {
            NvPair pair{text(), {text()}};
            for (unsigned k = below(3); k > 0; --k)
                pair.values.push_back(text());
            event.pairs.push_back(std::move(pair));
        }
        normalize(event);
        return event;
    }

    // Mostly of what is hard to write.
    std::string text() {
        constexpr std::array pieces{"a",           "]]>",
                                    "]",           "]]",
                                    ">",           "<",
                                    "&",           "\"",
                                    "'",           "\r",
                                    "\n",          "\r\n",
                                    "\t",          " ",
                                    "&#13;",       "<![CDATA[",
                                    "\xC3\xA4",    "\xF0\x9F\x98\x80",
                                    "-->",         "\xEF\xBF\xBD",
                                    "\xC2\x85",    "\xE2\x80\xA8",
                                    "\x7F",        "%",
                                    "\xEF\xBB\xBF"};
        std::string out;
        for (unsigned i = below(6); i > 0; --i)
            out += pieces.at(below(pieces.size()));
        return out;
    }

    std::mt19937 random_;
};

TEST(RegistrationWriter, IsReadBackTheSameWhateverTheTexts) {
    Runtime runtime;
    RegistrationReader reader(runtime);
    for (unsigned seed = 0; seed < 5000; ++seed) {
        const RegistrationMessage message = Generator(seed).message();
        const std::string document = writeRegistration(message);
        MessageEnd end;
        ASSERT_EQ(end.feed(document), MessageEnd::Verdict::complete) << document;
        ASSERT_EQ(end.length(), document.size()) << document;
        const auto read = reader.parse(document);
        ASSERT_TRUE(read) << "seed " << seed << ": " << read.error().text << "\n" << document;
        ASSERT_EQ(*read, message) << "seed " << seed << ": " << document;
    }
}

}  // namespace
}  // namespace crnpd::xml
