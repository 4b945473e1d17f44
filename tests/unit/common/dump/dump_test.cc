// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Whole dumps: what the writer writes the reader takes, and nothing else.

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/dump/dump_reader.h"
#include "common/dump/dump_writer.h"
#include "common/registration_codec.h"

namespace crnpd::dump {
namespace {

using namespace std::chrono_literals;

class DumpTest : public testing::Test {
protected:
    static std::string record(std::vector<EventRegistration> events) {
        for (auto& event : events)
            normalize(event);
        return encodeRegistrations(events);
    }
    static CallbackAddress address(std::uint16_t port) {
        return {IpAddress::parse("192.0.2.1").value(), port};
    }
    static Snapshot rows() {
        return {
            42,
            {{1, address(1), record({})},
             {3, address(3), record({{"EC_Cluster", std::nullopt, {}}})},
             {9, address(9),
              record(
                  {{"\"\\/\n\r\t,:{}[]", "", {{"", {"", " "}}, {"é€𝄞\u2028\u0085", {"\x7f", "\u0645"}}}}})}},
            {{2, address(2), WallTime{1'700'000'000'123ms}}, {11, address(11), WallTime{0ms}}}};
    }
    static std::vector<std::string> written(Snapshot rows) {
        std::vector<std::string> lines;
        EXPECT_TRUE(
            write(std::move(rows), {"1.2.3", WallTime{1'700'000'000'000ms}}, [&](const std::string& line) {
                EXPECT_EQ(line.find('\n'), std::string::npos);
                lines.push_back(line);
                return true;
            }));
        return lines;
    }
    // What the reader makes of the lines; the first error, if any.
    Result<Snapshot> read(const std::vector<std::string>& lines) {
        Snapshot found;
        Reader reader([&](Change&& row) {
            if (const auto* client = std::get_if<ClientRecord>(&row)) found.clients.push_back(*client);
            if (const auto* removal = std::get_if<RemovalRecord>(&row)) found.removals.push_back(*removal);
        });
        for (const auto& line : lines) {
            if (const auto taken = reader.take(line); !taken) return taken.error();
        }
        if (const auto whole = reader.finish(); !whole) return whole.error();
        found.head = reader.header().revision;
        header = reader.header();
        return found;
    }
    std::string refusal(const std::vector<std::string>& lines) {
        const auto found = read(lines);
        return found ? "taken" : found.error().text;
    }
    // The lines with a right last line, whatever the others are.
    static std::vector<std::string> sealed(std::vector<std::string> lines) {
        Seal seal;
        for (const auto& line : lines)
            seal.add(line);
        lines.push_back(seal.line());
        return lines;
    }

    Header header;
};

TEST_F(DumpTest, WhatWasWrittenIsReadBack) {
    EXPECT_EQ(read(written(rows())).value(), rows());
    EXPECT_EQ(header, (Header{WallTime{1'700'000'000'000ms}, "1.2.3", 42, 3, 2}));
    EXPECT_EQ(read(written({})).value(), Snapshot{});
}

TEST_F(DumpTest, RowsAreOrderedByTheirIds) {
    auto shuffled = rows();
    std::ranges::reverse(shuffled.clients);
    std::ranges::reverse(shuffled.removals);
    EXPECT_EQ(written(shuffled), written(rows()));
}

TEST_F(DumpTest, TheChecksumIsOfTheBytesBeforeTheLastLine) {
    const auto lines = written({});
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(
        lines[0],
        R"({"crnpd_dump":1,"made":"2023-11-14T22:13:20.000Z","server":"1.2.3","revision":0,"clients":0,"removals":0})");
    // printf '%s\n' LINE | sha256sum
    EXPECT_EQ(
        lines[1],
        R"({"end":true,"rows":0,"sha256":"b8107066df140571ba6d31be2ca830db2a841b98449fa3845b45fa223f74193b"})");
}

TEST_F(DumpTest, EveryChangedByteIsNoticed) {
    const auto lines = written(rows());
    for (std::size_t line = 0; line < lines.size(); ++line) {
        for (std::size_t at = 0; at < lines[line].size(); ++at) {
            auto damaged = lines;
            damaged[line][at] = static_cast<char>(damaged[line][at] ^ 1);
            EXPECT_FALSE(read(damaged)) << damaged[line];
        }
    }
}

TEST_F(DumpTest, EveryCutIsNoticed) {
    const auto lines = written(rows());
    for (std::size_t count = 0; count < lines.size(); ++count) {
        const std::vector<std::string> some(lines.begin(),
                                            lines.begin() + static_cast<std::ptrdiff_t>(count));
        EXPECT_NE(refusal(some).find(count == 0 ? "empty" : "cut off"), std::string::npos) << refusal(some);
        auto half = some;
        half.push_back(lines[count].substr(0, lines[count].size() / 2));
        EXPECT_FALSE(read(half));
    }
}

TEST_F(DumpTest, ARowThatIsMissingOrRepeatedOrMovedIsNoticed) {
    auto missing = written(rows());
    missing.erase(missing.begin() + 2);
    EXPECT_NE(refusal(missing).find("rows"), std::string::npos) << refusal(missing);
    auto repeated = written(rows());
    repeated.insert(repeated.begin() + 2, repeated[2]);
    EXPECT_EQ(refusal(repeated), "line 4: the id 3 is there twice");
    auto moved = written(rows());
    std::swap(moved[1], moved[2]);
    EXPECT_NE(refusal(moved).find("checksum"), std::string::npos) << refusal(moved);
}

TEST_F(DumpTest, NothingFollowsTheLastLine) {
    auto lines = written(rows());
    lines.emplace_back();
    EXPECT_EQ(refusal(lines), "line 8: something follows behind the last line");
}

// As somebody would make it who knows the checksum.
TEST_F(DumpTest, ASealedDumpMustStillBeConsistent) {
    const auto first = written(rows()).front();
    const std::string client = R"({"client":"192.0.2.1:1","id":1,"events":[]})";
    EXPECT_EQ(refusal(sealed({first, client})),
              "line 3: there are 1 clients and 0 removals, but the first line says 3 and 2");
    EXPECT_EQ(refusal(sealed(
                  {first, client, R"({"removed":"192.0.2.1:1","id":2,"at":"2025-01-31T12:00:00.000Z"})"})),
              "line 3: the address 192.0.2.1:1 is there twice");
    EXPECT_EQ(refusal(sealed({first, client, ""})), "line 3: this is no line of a dump");
}

TEST_F(DumpTest, WritingEndsWhenNobodyReadsAnyMore) {
    int lines = 0;
    const auto result = write(rows(), {"1", {}}, [&](const std::string&) { return ++lines < 3; });
    EXPECT_EQ(result.error().code, ErrorCode::cancelled);
    EXPECT_EQ(lines, 3);
}

}  // namespace
}  // namespace crnpd::dump
