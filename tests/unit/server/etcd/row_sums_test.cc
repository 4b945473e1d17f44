// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/row_sums.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

namespace crnpd::etcd {
namespace {

// Rows as etcd would have them, on a node whose interfaces come, go and change their names.
class RowSumsTest : public testing::Test {
protected:
    const Keys keys{"/crnpd"};
    std::map<std::uint32_t, std::string> interfaces{{2, "eth0"}, {3, "eth1"}};
    RowSums sums{keys, [this](const CallbackAddress& address) { return keyNow(address); }};
    std::map<std::string, std::string> rows;

    std::string keyNow(const CallbackAddress& address) const {
        const auto found = interfaces.find(address.ip.scope());
        return found == interfaces.end() ? keys.clientByNumber(address) : keyOn(found->second);
    }
    std::string keyOn(const std::string& interface) const {
        return keys.clients() + "fe80::1%" + interface + "/2001";
    }
    static CallbackAddress on(std::uint32_t scope) {
        const auto bare = *IpAddress::parse("fe80::1");
        in6_addr address{};
        std::ranges::copy(bare.bytes(), std::begin(address.s6_addr));
        return {IpAddress::from(address, scope), 2001};
    }
    static Change client(RecordId id, std::uint32_t scope) { return ClientRecord{id, on(scope), "0:"}; }

    void carryOut(const std::vector<Operation>& operations) {
        for (const auto& operation : operations) {
            if (const auto* put = std::get_if<Put>(&operation)) rows[put->key] = put->value;
            if (const auto* deletion = std::get_if<Delete>(&operation)) rows.erase(deletion->key);
        }
    }
    void commit(const std::vector<Change>& changes, const EventChanges& events = {}) {
        const auto staged = sums.stage(changes, events);
        carryOut(staged.operations);
        sums.adopt(staged);
        expectSumOfWhatIsThere();
    }
    void expectSumOfWhatIsThere() const {
        Sum truth;
        for (const auto& [key, value] : rows)
            truth.add(digestOf(key, value));
        EXPECT_EQ(sums.sum(), truth) << "the next takeover would call it damaged";
    }
};

TEST_F(RowSumsTest, AnEventThatIsReleasedTwiceGoesOnce) {
    commit({}, {.published = {{7, "a"}, {8, "b"}}});
    commit({}, {.released = {7, 7}});
    commit({}, {.released = {7}});
    EXPECT_EQ(rows.size(), 1U);
}

TEST_F(RowSumsTest, ARowStaysUnderItsKeyWhenItsInterfaceGoes) {
    commit({client(1, 2), client(2, 3)});
    interfaces.erase(2);
    commit({RemovalRecord{1, on(2), {}}});
    EXPECT_EQ(rows.at(keyOn("eth0")), "removed 1 0");
    commit({ForgottenRecord{1, on(2)}});
    EXPECT_EQ(rows.size(), 1U);
}

TEST_F(RowSumsTest, ARowStaysUnderItsKeyWhenItsInterfaceIsRenamed) {
    commit({client(1, 2)});
    interfaces[2] = "lan0";
    commit({client(1, 2)});
    EXPECT_EQ(rows.size(), 1U);
    commit({ForgottenRecord{1, on(2)}});
    EXPECT_TRUE(rows.empty());
    commit({client(4, 2)});
    EXPECT_TRUE(rows.contains(keyOn("lan0"))) << "a new row has the name of now";
}

TEST_F(RowSumsTest, ARowThatWasReadStaysUnderItsKeyWhenItsInterfaceGoes) {
    rows[keyOn("eth0")] = "registered 1 0:";
    ASSERT_TRUE(sums.add(client(1, 2), keyOn("eth0"), "registered 1 0:"));
    interfaces.erase(2);
    commit({ForgottenRecord{1, on(2)}});
    EXPECT_TRUE(rows.empty());
}

TEST_F(RowSumsTest, ANameThatWentToAnotherInterfaceIsNoReasonToShareARow) {
    commit({client(1, 2)});
    interfaces = {{3, "eth0"}, {2, "eth1"}};
    commit({client(2, 3)});
    EXPECT_EQ(rows.size(), 2U);
    commit({ForgottenRecord{1, on(2)}});
    commit({ForgottenRecord{2, on(3)}});
    EXPECT_TRUE(rows.empty());
    commit({client(3, 3)});
    EXPECT_TRUE(rows.contains(keyOn("eth0"))) << "it is free again";
}

TEST_F(RowSumsTest, WhatWasNotCarriedOutIsNotRemembered) {
    sums.drop(sums.stage(std::vector{client(1, 2)}));
    interfaces[2] = "lan0";
    commit({client(1, 2)});
    EXPECT_TRUE(rows.contains(keyOn("lan0")));
}

}  // namespace
}  // namespace crnpd::etcd
