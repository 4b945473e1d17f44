// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/config/suggestion.h"

#include "loading.h"

namespace crnpd::config {
namespace {

TEST(SuggestionTest, DistanceCountsSlips) {
    EXPECT_EQ(editDistance("level", "level"), 0U);
    EXPECT_EQ(editDistance("levl", "level"), 1U);
    EXPECT_EQ(editDistance("levvel", "level"), 1U);
    EXPECT_EQ(editDistance("lever", "level"), 1U);
    EXPECT_EQ(editDistance("levle", "level"), 1U);
    EXPECT_EQ(editDistance("", "level"), 5U);
    EXPECT_EQ(editDistance("level", ""), 5U);
    EXPECT_EQ(editDistance("kitten", "sitting"), 3U);
}

TEST(SuggestionTest, ATypingMistakeIsGuessed) {
    EXPECT_EQ(problemIn("max_client = 5"),
              R"(crnpd.toml:1: "max_client" is not a setting; did you mean "max_clients"?)");
    EXPECT_EQ(problemIn("allow-hosts = []"),
              R"(crnpd.toml:1: "allow-hosts" is not a setting; did you mean "allow_hosts"?)");
    EXPECT_EQ(problemIn("[control]\nmdoe = '0660'"),
              R"(crnpd.toml:2: "mdoe" is not a setting of [control]; did you mean "mode"?)");
}

TEST(SuggestionTest, AMistakeInTheWrongSectionIsGuessedToo) {
    EXPECT_EQ(
        problemIn("[store]\nmesage_bytes = 5000"),
        R"(crnpd.toml:2: "mesage_bytes" is not a setting of [store]; did you mean "message_bytes" of [limits]?)");
}

TEST(SuggestionTest, ASettingInTheWrongPlaceIsSentToItsOwn) {
    EXPECT_EQ(problemIn("[limits]\nmax_clients = 5"),
              "crnpd.toml:2: \"max_clients\" is not a setting of [limits]; it belongs to the top of the "
              "file, before the "
              "first [section]");
    EXPECT_EQ(problemIn("level = 'info'"), R"(crnpd.toml:1: "level" is not a setting; it belongs to [log])");
}

TEST(SuggestionTest, ASectionInsideAnotherIsGuessed) {
    EXPECT_EQ(problemIn("[etcd]\nlease = '3s'"),
              "crnpd.toml:1: [etcd] is not a section; did you mean [store.etcd]?");
    EXPECT_EQ(problemIn("[store.etdc]\nlease = '3s'"),
              "crnpd.toml:1: [store.etdc] is not a section; did you mean [store.etcd]?");
    EXPECT_EQ(problemIn("[store]\netcd = 5"),
              "crnpd.toml:2: store.etcd is a section: write [store.etcd] once, alone on its line");
    EXPECT_EQ(problemIn("[store]\nendpoints = []"),
              R"(crnpd.toml:2: "endpoints" is not a setting of [store]; it belongs to [store.etcd])");
    EXPECT_EQ(problemIn("[store.etcd]\nendpoint = []"),
              R"(crnpd.toml:2: "endpoint" is not a setting of [store.etcd]; did you mean "endpoints"?)");
}

TEST(SuggestionTest, WhereNothingIsNearTheNamesOfThePlaceAreListed) {
    EXPECT_EQ(problemIn("[log]\ncolour = true"),
              R"(crnpd.toml:2: "colour" is not a setting of [log]; allowed here: level, target, format)");
    EXPECT_EQ(
        problemIn("[network]"),
        "crnpd.toml:1: [network] is not a section; allowed: [limits], [store], [store.etcd], [control], "
        "[log]");
}

TEST(SuggestionTest, OfTwoEquallyNearNamesTheOneOfTheSameSectionIsMeant) {
    EXPECT_EQ(unknownSetting("store", "knd"), R"("knd" is not a setting of [store]; did you mean "kind"?)");
    EXPECT_EQ(unknownSetting("limits", "connection"),
              R"("connection" is not a setting of [limits]; did you mean "connections"?)");
}

TEST(SuggestionTest, AnEndlessNameIsCutShortAndNotCompared) {
    const auto problem = problemIn(std::string(500'000, 'a') + " = 1");
    EXPECT_LT(problem.size(), 300U);
    EXPECT_TRUE(problem.starts_with("crnpd.toml:1: \"aaaa")) << problem;
}

}  // namespace
}  // namespace crnpd::config
