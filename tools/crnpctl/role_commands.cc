// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/role_commands.h"

#include <ostream>
#include <string>

#include "tools/crnpctl/control_answers.h"
#include "tools/crnpctl/control_talk.h"
#include "tools/crnpctl/printable.h"

namespace crnpd::crnpctl {
namespace {

using namespace std::chrono_literals;

constexpr auto pollTime = 50ms;
// How long to wait for a successor: somewhat longer than the server lets others go first.
constexpr auto successorTime = 8s;

Result<RoleNow> roleNow(const ControlOptions& options) {
    const auto line = answerTo(roleRequest(), options);
    if (!line) return line.error();
    return readRole(*line);
}

// Asks until `over` says so or `limit` has passed; what was answered last.
template <typename Over>
Result<RoleNow> roleOnce(Over over, std::chrono::milliseconds limit, const ControlOptions& options,
                         const Process& process) {
    for (auto waited = 0ms;; waited += pollTime) {
        auto now = roleNow(options);
        if (!now || over(*now) || waited >= limit) return now;
        process.pause(pollTime);
    }
}

bool isActive(const RoleNow& now) {
    return now.role == "active";
}

ExitStatus say(const Process& process, const RoleNow& now) {
    const auto successor =
        now.leader.empty() ? std::string("no other server is active yet") : now.leader + " is active";
    process.out << "stepped down: this server is " << printable(now.role) << ", " << printable(successor)
                << '\n';
    return ExitStatus::ok;
}

}  // namespace

ExitStatus carryOut(const RoleCommand& command, const Process& process) {
    const auto line = answerTo(roleRequest(), command.options);
    if (!line) return complain(process, line.error());
    const auto now = readRole(*line);
    if (!now) return complain(process, now.error());
    process.out << (command.options.json ? *line : printable(now->role)) << '\n';
    if (isActive(*now)) return ExitStatus::ok;
    return now->role == "standby" ? ExitStatus::standby : ExitStatus::changing;
}

ExitStatus carryOut(const StepDownCommand& command, const Process& process) {
    const auto before = roleNow(command.options);
    if (!before) return complain(process, before.error());
    const auto line = answerTo(stepDownRequest(), command.options);
    if (!line) return complain(process, line.error());
    if (const auto accepted = readAccepted(*line); !accepted) return complain(process, accepted.error());

    // Active with another term: it has stepped down and was elected again between two questions.
    const auto hasLeft = [&](const RoleNow& now) {
        return now.role != "stepping down" && (!isActive(now) || now.term != before->term);
    };
    const auto left = roleOnce(hasLeft, command.wait, command.options, process);
    if (!left) return complain(process, left.error());
    if (!hasLeft(*left)) {
        return complain(process,
                        {ErrorCode::io, "the server is still " + left->role +
                                            " after the time of --wait; look again with crnpctl role"});
    }
    const auto hasSuccessor = [](const RoleNow& now) { return isActive(now) || !now.leader.empty(); };
    const auto after = roleOnce(hasSuccessor, successorTime, command.options, process);
    if (!after) return complain(process, after.error());
    if (!isActive(*after)) return say(process, *after);
    return complain(process,
                    {ErrorCode::busy, "no other server took over, so this one is active again (term " +
                                          std::to_string(after->term) + ")"});
}

}  // namespace crnpd::crnpctl
