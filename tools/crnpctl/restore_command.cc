// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/restore_command.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <istream>
#include <ostream>
#include <sstream>
#include <string>

#include "common/dump/dump_reader.h"
#include "tools/crnpctl/control_answers.h"
#include "tools/crnpctl/control_talk.h"

namespace crnpd::crnpctl {
namespace {

constexpr std::size_t sendSize = 1U << 20U;

// A dump that can be read twice: a pipe is kept in memory.
class Source {
public:
    // io: there is no such file.
    Result<void> open(const std::string& file, std::istream& in) {
        if (file == "-") {
            name_ = "standard input";
            keep(in);
            return {};
        }
        name_ = file;
        file_.open(file, std::ios::binary);
        if (!file_) return failed();
        isFile_ = static_cast<bool>(file_.seekg(0));
        file_.clear();
        if (!isFile_) keep(file_);
        return {};
    }

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] Error failed() const { return {ErrorCode::io, name_ + ": " + std::strerror(errno)}; }
    [[nodiscard]] std::istream& fromTheStart() {
        auto& stream = isFile_ ? static_cast<std::istream&>(file_) : memory_;
        stream.clear();
        stream.seekg(0);
        return stream;
    }

private:
    void keep(std::istream& in) {
        memory_ << in.rdbuf();
        memory_.clear();
    }

    std::string name_;
    std::ifstream file_;
    std::stringstream memory_;
    bool isFile_ = false;
};

// The whole of it, as the server will do once more.
Result<void> check(Source& source) {
    const auto named = [&](const Error& why) {
        return Error{why.code, source.name() + ": " + why.text, why.line};
    };
    dump::Reader reader({});
    auto& in = source.fromTheStart();
    for (std::string line; std::getline(in, line);) {
        if (const auto taken = reader.take(line); !taken) return named(taken.error());
    }
    if (in.bad()) return source.failed();
    if (const auto whole = reader.finish(); !whole) return named(whole.error());
    return {};
}

// Ends early where the server wants no more: its answer says why.
void sendAll(ControlClient& control, Source& source) {
    std::string piece;
    auto& in = source.fromTheStart();
    for (std::string line; std::getline(in, line);) {
        piece += line;
        piece += '\n';
        if (piece.size() < sendSize) continue;
        if (!control.send(piece)) return;
        piece.clear();
    }
    (void)control.send(piece);
}

// The answer behind the lines of those who are still working.
Result<std::string> answerOf(ControlClient& control, const std::string& socket) {
    for (;;) {
        auto line = lineOf(control, socket);
        if (!line) {
            return Error{line.error().code,
                         line.error().text +
                             "; it is not known whether the dump was restored: look with crnpctl status"};
        }
        const auto restored = readRestored(*line);
        if (!restored) return restored.error();
        if (*restored) return line;
    }
}

}  // namespace

ExitStatus carryOut(const RestoreCommand& command, const Process& process) {
    Source source;
    auto usable = source.open(command.file, process.in);
    if (usable) usable = check(source);
    if (!usable) {
        complain(process, {usable.error().code, "nothing was sent: " + usable.error().text});
        return ExitStatus::usage;
    }
    auto control = ControlClient::ask(command.options, restoreRequest());
    if (!control) return complain(process, control.error());
    const auto first = lineOf(*control, command.options.socket);
    if (!first) return complain(process, first.error());
    if (const auto accepted = readAccepted(*first); !accepted) return complain(process, accepted.error());
    sendAll(*control, source);

    const auto line = answerOf(*control, command.options.socket);
    if (!line) return complain(process, line.error());
    const auto restored = **readRestored(*line);
    if (command.options.json) {
        process.out << *line << '\n';
    } else {
        process.out << "restored: " << restored.clients << " clients, " << restored.removals << " removals\n";
    }
    return ExitStatus::ok;
}

}  // namespace crnpd::crnpctl
