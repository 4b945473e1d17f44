// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/events_command.h"

#include <algorithm>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/crnpctl/control_answers.h"
#include "tools/crnpctl/control_talk.h"
#include "tools/crnpctl/printable.h"

namespace crnpd::crnpctl {
namespace {

// A column is as wide as its longest entry, but no wider than this: one long name would push the others out.
constexpr std::size_t widestColumn = 48;

struct Answer {
    std::string head;                // as it came
    EventsHead numbers;              // the same
    std::vector<std::string> lines;  // as they came, with the last one
    std::vector<EventLine> events;
};

struct Row {
    std::string number;
    std::string delivered;
    std::string event;
    std::string publisher;
    std::string pairs;
};

// Of the terminal that the output goes to; 0 where it goes elsewhere.
std::size_t widthOfTerminal() {
    winsize size{};
    return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool beginsCharacter(char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
}

std::size_t charactersOf(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), beginsCharacter));
}

// At most so many characters; the last one is "…" where some are left out.
std::string cutTo(std::size_t characters, std::string text) {
    if (charactersOf(text) <= characters) return text;
    std::size_t kept = 0;
    std::size_t end = 0;
    while (end < text.size() && (kept += beginsCharacter(text[end]) ? 1 : 0) < characters)
        ++end;
    return text.substr(0, end) + "…";
}

std::string textOf(const NvPair& pair) {
    if (pair.values.size() == 1) return pair.name + "=" + pair.values.front();
    return fmt::format("{}=[{}]", pair.name, fmt::join(pair.values, ", "));
}

Row rowOf(const EventLine& line) {
    std::string pairs;
    for (const auto& pair : line.event.pairs)
        pairs += (pairs.empty() ? "" : " ") + textOf(pair);
    return {fmt::format("{}", line.sequence), fmt::format("{}/{}", line.delivered, line.wanted),
            cutTo(widestColumn, printable(line.event.eventClass + "/" + line.event.subclass)),
            cutTo(widestColumn, printable(line.event.publisher)), printable(pairs)};
}

// In characters, not bytes, so that the columns stay straight.
std::string padded(const std::string& text, std::size_t width) {
    return text + std::string(width - std::min(width, charactersOf(text)), ' ');
}

std::string aligned(const std::string& text, std::size_t width) {
    return std::string(width - std::min(width, text.size()), ' ') + text;
}

void printTable(std::ostream& out, const std::vector<EventLine>& events, std::size_t width) {
    std::vector<Row> rows{{"NUMBER", "DELIVERED", "EVENT", "PUBLISHER", "PAIRS"}};
    for (const auto& line : events)
        rows.push_back(rowOf(line));
    const auto widest = [&](std::string Row::*column) {
        std::size_t most = 0;
        for (const auto& row : rows)
            most = std::max(most, charactersOf(row.*column));
        return most;
    };
    const auto number = widest(&Row::number);
    const auto delivered = widest(&Row::delivered);
    const auto event = widest(&Row::event);
    const auto publisher = widest(&Row::publisher);
    for (const auto& row : rows) {
        auto text =
            fmt::format("{}  {}  {}  {}  {}", aligned(row.number, number), aligned(row.delivered, delivered),
                        padded(row.event, event), padded(row.publisher, publisher), row.pairs);
        text.erase(text.find_last_not_of(' ') + 1);
        out << (width == 0 ? text : cutTo(width, std::move(text))) << '\n';
    }
}

std::string countOf(std::int64_t count, std::string_view what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

void printNumbers(std::ostream& out, const EventsHead& numbers) {
    // The mark is what is stored: for up to a second it tells of those who were behind when it was.
    if (numbers.behind == 0) {
        fmt::print(out, "head {}; everybody has everything (stored mark: {})\n", numbers.head, numbers.mark);
        return;
    }
    fmt::print(out, "head {}; everybody has everything up to {} (mark)", numbers.head, numbers.mark);
    if (numbers.laggards != 0) fmt::print(out, " but {}", countOf(numbers.laggards, "laggard"));
    fmt::print(out, "; behind: {}\n", countOf(numbers.behind, "client"));
}

Result<Answer> ask(const EventsCommand& command) {
    const auto& options = command.options;
    auto control = ControlClient::ask(options, eventsRequest(command.most));
    if (!control) return control.error();
    auto head = lineOf(*control, options.socket);
    if (!head) return head.error();
    const auto numbers = readEventsHead(*head);
    if (!numbers) return numbers.error();
    Answer answer{*std::move(head), *numbers, {}, {}};
    while (true) {
        auto text = lineOf(*control, options.socket);
        if (!text) return text.error();
        auto line = readEventsLine(*text);
        if (!line) return line.error();
        answer.lines.push_back(*std::move(text));
        if (std::holds_alternative<EventsEnd>(*line)) return answer;
        answer.events.push_back(std::get<EventLine>(std::move(*line)));
    }
}

}  // namespace

ExitStatus carryOut(const EventsCommand& command, const Process& process) {
    const auto answer = ask(command);
    if (!answer) return complain(process, answer.error());
    if (command.options.json) {
        process.out << answer->head << '\n';
        for (const auto& line : answer->lines)
            process.out << line << '\n';
        return ExitStatus::ok;
    }
    printTable(process.out, answer->events, command.width ? *command.width : widthOfTerminal());
    printNumbers(process.out, answer->numbers);
    return ExitStatus::ok;
}

}  // namespace crnpd::crnpctl
