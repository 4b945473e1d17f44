// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// Every message the server logs. An id outlives its wording and is never given to another message;
// docs/messages.md lists the same ids, levels and advice, and a test compares.
//
// Ids: SRV the process, CFG configuration, ROL role, STO store, CMT commits, NET sockets, REG registrations,
// CTL control socket, ETC etcd, DLV events to clients, LOG the log itself.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/log.h"

namespace crnpd::msg {

using Text = std::string_view;
using Count = std::uint64_t;
namespace level = spdlog::level;

// --- the process ------------------------------------------------------------------------------------

inline constexpr Message<Text, int, Text> starting{"CRNPD-SRV-001",
                                                   level::info,
                                                   "crnpd {} starts as process {} with {}",
                                                   {"VERSION", "PID", "CONFIG"},
                                                   "The first line of a run. Nothing to do."};

inline constexpr Message<Text> stopping{"CRNPD-SRV-002",
                                        level::info,
                                        "stopping: {}; what was received is still answered",
                                        {"REASON"},
                                        "An orderly stop has begun. Nothing to do."};

inline constexpr Message<Count, Count> stopped{
    "CRNPD-SRV-003",
    level::info,
    "stopped after {} s and {} replies",
    {"SECONDS", "REPLIES"},
    "The last line of an orderly stop. A run that ends without it was killed or crashed."};

inline constexpr Message<Text> cannotStart{
    "CRNPD-SRV-004",
    level::err,
    "cannot start: {}",
    {"REASON"},
    "The server ended with exit code 1. Mend what the text names and start it again."};

inline constexpr Message<Count, Count> fewDescriptors{
    "CRNPD-SRV-005",
    level::warn,
    "the system allows {} open files, limits.connections wants {}",
    {"ALLOWED", "WANTED"},
    "Connections above the allowed number wait. Raise LimitNOFILE= in the unit (or ulimit -n), or lower "
    "limits.connections."};

inline constexpr Message<Text, Count> threadStuck{
    "CRNPD-SRV-006",
    level::err,
    "{} has not answered for {} s",
    {"THREAD", "SECONDS"},
    "One thread makes no progress, most often because the disk does not answer. Without progress until "
    "WatchdogSec= "
    "systemd restarts the server. Look at the disk (dmesg, iostat)."};

inline constexpr Message<Text> loopFault{
    "CRNPD-SRV-007",
    level::err,
    "an event loop goes on after an internal error: {}",
    {"REASON"},
    "Most often out of memory; what was being done then is left undone. Report it if memory was not short."};

// --- configuration ----------------------------------------------------------------------------------

inline constexpr Message<Text> reloaded{"CRNPD-CFG-001",
                                        level::info,
                                        "{} was read again and is in force",
                                        {"CONFIG"},
                                        "The answer to SIGHUP. Nothing to do."};

inline constexpr Message<Text, Text> reloadRefused{
    "CRNPD-CFG-002",
    level::err,
    "{} was not taken over, the old settings stay: {}",
    {"CONFIG", "REASON"},
    "The file has a mistake; one line for each. Mend it, try it with crnpd --check-config, reload again."};

inline constexpr Message<Text> restartNeeded{
    "CRNPD-CFG-003",
    level::warn,
    "{} has changed and takes effect at the next start",
    {"SETTING"},
    "Restart the server when a pause of a second suits you, or change the setting back."};

inline constexpr Message<Text> reloadIgnored{
    "CRNPD-CFG-004",
    level::info,
    "{} is not read again: the server is stopping",
    {"CONFIG"},
    "SIGHUP came after the stop had begun. The next start reads the file."};

// --- role -------------------------------------------------------------------------------------------

inline constexpr Message<Text, Text, Text> roleChanged{
    "CRNPD-ROL-001",
    level::info,
    "role: {} -> {}: {}",
    {"FROM", "ROLE", "REASON"},
    "Only the active server listens for clients. Exactly one server on a store is active, the others stand "
    "by."};

// --- store ------------------------------------------------------------------------------------------

inline constexpr Message<Text, Count, Count, Count, Count> storeOpened{
    "CRNPD-STO-001",
    level::info,
    "{} holds {} clients and {} remembered removals at revision {}, read in {} ms",
    {"STORE", "CLIENTS", "REMOVALS", "REVISION", "MILLISECONDS"},
    "The registrations were read. Nothing to do."};

inline constexpr Message<Text> storeUnusable{
    "CRNPD-STO-002",
    level::err,
    "the registrations cannot be read: {}",
    {"REASON"},
    "The server does not serve clients and leaves what is stored as it is. Restore a back-up "
    "(docs/operations.md), or mend what the text names. An etcd that cannot be reached is tried again."};

inline constexpr Message<Text> waitingForLock{"CRNPD-STO-003",
                                              level::info,
                                              "standing by: the registrations are in use by {}",
                                              {"HOLDER"},
                                              "Another server is active. This one takes over within a second "
                                              "when that one ends; when its whole host dies, "
                                              "after the lease (store.etcd.lease)."};

inline constexpr Message<Count> fillingCleared{
    "CRNPD-STO-010",
    level::warn,
    "a restore that was not finished has left {} rows; they were taken away",
    {"ROWS"},
    "The server that ran crnpctl restore stopped before its end. The store is empty; run it again."};

inline constexpr Message<std::string_view> postUnreadable{
    "CRNPD-DLV-041",
    level::warn,
    "{} is no event that a standby has posted; it was deleted",
    {"KEY"},
    "Another program wrote it, or a crnpd of another version. Whoever posted it was not told a number."};

inline constexpr Message<Count, Count> copyDiffers{
    "CRNPD-STO-011",
    level::warn,
    "this standby's copy of {} rows is not what etcd holds ({} rows), so everything is read from etcd",
    {"COPY", "ROWS"},
    "Nothing is lost, the takeover takes a little longer. Report it if it comes again, unless clients with "
    "link-local addresses on another node's interfaces are registered."};

// --- commits ----------------------------------------------------------------------------------------

inline constexpr Message<Count, Count, Text> commitUnknown{
    "CRNPD-CMT-001",
    level::warn,
    "batch {} with {} changes: the store did not say whether it was written ({}); finding out",
    {"BATCH", "CHANGES", "REASON"},
    "The storage failed in the middle of a commit. Nobody is answered before the outcome is known. Look at "
    "the disk (dmesg)."};

inline constexpr Message<Count, Text> commitRefused{
    "CRNPD-CMT-002",
    level::err,
    "{} requests were refused, nothing was written: {}",
    {"REQUESTS", "REASON"},
    "Clients and publishers were told and will repeat; the server's own notes of what was delivered (one "
    "request a second) it writes again by itself. A full disk: make room; the server goes on by itself. "
    "Anything else: look at the disk (dmesg)."};

inline constexpr Message<Count, Text> outcomeNotFound{
    "CRNPD-CMT-003",
    level::err,
    "{} requests were not answered, because nobody knows whether their changes were written: {}",
    {"REQUESTS", "REASON"},
    "The storage is broken. The connections of clients are closed and they repeat their messages; publishers "
    "are told that it is not known. The server reads its registrations anew before it goes on."};

inline constexpr Message<Count, Count> storeReloaded{
    "CRNPD-CMT-004",
    level::info,
    "the registrations were read anew: revision {}, {} clients",
    {"REVISION", "CLIENTS"},
    "The storage works again, or a restore is over. Nothing to do."};

inline constexpr Message<Count, Text> storeStillBroken{
    "CRNPD-CMT-005",
    level::err,
    "the store cannot be read, {} requests were refused: {}",
    {"REQUESTS", "REASON"},
    "The storage is still broken; clients get SYSTEM_ERROR, or LOW_RESOURCE or RETRY where the reason is a "
    "full disk or a lock. Mend it; the server goes on by itself."};

// --- sockets ----------------------------------------------------------------------------------------

inline constexpr Message<Text> listening{
    "CRNPD-NET-001",
    level::info,
    "listening on {}",
    {"ADDRESS"},
    "Clients can register there. With port 0 in \"listen\" this line tells the port."};

inline constexpr Message<Text> notListening{"CRNPD-NET-002",
                                            level::info,
                                            "no longer listening on {}",
                                            {"ADDRESS"},
                                            "The server stops, stands by or was told to listen elsewhere."};

inline constexpr Message<Text> cannotListen{
    "CRNPD-NET-003",
    level::err,
    "{}",
    {"REASON"},
    "No client can reach the server on that address. The text says what to do."};

inline constexpr Message<Text, Text> acceptPaused{
    "CRNPD-NET-004",
    level::warn,
    "{}: new connections wait: {}",
    {"ADDRESS", "REASON"},
    "The process or the system has no more descriptors or memory. Nobody is refused: connections wait in the "
    "kernel. Raise LimitNOFILE= if it happens again."};

inline constexpr Message<Count> connectionsFull{
    "CRNPD-NET-005",
    level::warn,
    "{} connections are open, as many as limits.connections allows; new ones wait",
    {"CONNECTIONS"},
    "Either very many clients register at once, or somebody opens connections and sends nothing: ss -tn "
    "shows from where. limits.connections_per_address bounds one host."};

inline constexpr Message<Text> localNetworksChanged{
    "CRNPD-NET-006",
    level::info,
    "LOCAL now means {}",
    {"NETWORKS"},
    "An interface of this machine has gained or lost an address. Access is decided by the new list from now "
    "on."};

inline constexpr Message<Text> localNotWatched{
    "CRNPD-NET-007",
    level::warn,
    "changes of this machine's addresses cannot be watched: {}",
    {"REASON"},
    "LOCAL stays as it is now. Allow AF_NETLINK to the server, or reload it after an address has changed."};

// --- registrations ----------------------------------------------------------------------------------

inline constexpr Message<Text, Text, Text, Count, double> registered{
    "CRNPD-REG-001",
    level::info,
    "{} {} {}: {} registrations, {:.1f} ms",
    {"CLIENT", "VERB", "CODE", "REGISTRATIONS", "MILLISECONDS"},
    "One line for each message of a client that was understood, with the reply's code, how many event "
    "registrations the client has now and how long it took."};

inline constexpr Message<Text, Text, Text, double> registrationRefused{
    "CRNPD-REG-002",
    level::warn,
    "{}: message refused with {}: {} ({:.1f} ms)",
    {"CLIENT", "CODE", "REASON", "MILLISECONDS"},
    "The client was told so and nothing was stored. Worth a look only when one client repeats it: its "
    "software may be out of date."};

inline constexpr Message<Text, Text> accessRefused{
    "CRNPD-REG-003",
    level::warn,
    "{}: not allowed to register: {}",
    {"CLIENT", "REASON"},
    "The host got FAIL. If it should be allowed, add it to allow_hosts and reload; crnpctl access test "
    "ADDRESS shows what decides."};

inline constexpr Message<Text> ownAddress{
    "CRNPD-REG-004",
    level::warn,
    "{} registers from an address of this very machine",
    {"CLIENT"},
    "If that is the floating address, the client's events go to whichever machine holds it after a failover. "
    "Let the client connect from its own address."};

inline constexpr Message<Text, Text> closedWithoutReply{
    "CRNPD-REG-005",
    level::warn,
    "{} {}: closed without a reply",
    {"CLIENT", "VERB"},
    "The outcome of the commit could not be found out. The client repeats its message and finds a consistent "
    "result."};

inline constexpr Message<Text> internalFault{
    "CRNPD-REG-006",
    level::err,
    "a connection was closed because of an internal error: {}",
    {"REASON"},
    "Most often out of memory. The client repeats its message. Report it if memory was not short."};

inline constexpr Message<Text> leftWithoutMessage{"CRNPD-REG-007",
                                                  level::debug,
                                                  "{}: connected and left without a message",
                                                  {"CLIENT"},
                                                  "Health checks and port scanners do that. Nothing to do."};

// --- control socket ---------------------------------------------------------------------------------

inline constexpr Message<Text> controlListening{
    "CRNPD-CTL-001", level::info, "crnpctl can reach this server at {}", {"SOCKET"}, "Nothing to do."};

inline constexpr Message<Text, Text> controlUnavailable{
    "CRNPD-CTL-002",
    level::warn,
    "crnpctl cannot reach this server at {}: {}",
    {"SOCKET", "REASON"},
    "Clients are served all the same. Two servers on one machine need different settings of control.socket."};

inline constexpr Message<Text, Text> removedByOperator{
    "CRNPD-CTL-003",
    level::warn,
    "{} was removed by an operator: {}",
    {"CLIENT", "CODE"},
    "Somebody ran crnpctl client remove. The client must register again to get events."};

inline constexpr Message<Text, Text> controlPaused{
    "CRNPD-CTL-004",
    level::warn,
    "{}: crnpctl waits: {}",
    {"SOCKET", "REASON"},
    "The process or the system has no more descriptors or memory. The server tries again by itself. Raise "
    "LimitNOFILE= if it happens again."};

inline constexpr Message<Text> controlClosed{
    "CRNPD-CTL-005",
    level::err,
    "a conversation with crnpctl was closed because of an internal error: {}",
    {"REASON"},
    "Most often out of memory or threads. Clients are served all the same; repeat the command. Report it if "
    "neither was short."};
// --- etcd -------------------------------------------------------------------------------------------

inline constexpr Message<Text> electionHindered{
    "CRNPD-ETC-001",
    level::warn,
    "this server cannot be elected at the moment: {}",
    {"REASON"},
    "The server goes on trying; crnpctl status tells whether it still is so. Mend what the text names."};

inline constexpr Message<Text> leaseNotNoted{
    "CRNPD-ETC-002",
    level::warn,
    "the lease could not be noted: {}",
    {"REASON"},
    "If this process crashes, another server takes over after the lease's time instead of at once. Mend the "
    "folder or its permissions."};

inline constexpr Message<Count, Count> copyRead{
    "CRNPD-ETC-003",
    level::info,
    "this server has a copy of {} rows as of revision {} of etcd and keeps it up to date",
    {"ROWS", "REVISION"},
    "A standby that has one takes over faster. Nothing to do."};

inline constexpr Message<Text> copyReadAnew{"CRNPD-ETC-004",
                                            level::warn,
                                            "the copy of the registrations is read anew: {}",
                                            {"REASON"},
                                            "Nothing is lost; a takeover meanwhile reads everything from "
                                            "etcd. Worth a look if it comes every few minutes."};

inline constexpr Message<Count, Count> copyVerified{
    "CRNPD-ETC-005",
    level::info,
    "the copy of {} rows was compared in full with etcd and is the same at revision {}",
    {"ROWS", "REVISION"},
    "The comparison that a standby makes now and then. Nothing to do."};

inline constexpr Message<Count, Count> copyOutOfStep{
    "CRNPD-ETC-006",
    level::err,
    "the copy of {} rows differs from etcd at revision {}",
    {"ROWS", "REVISION"},
    "It is read anew, and a takeover would have noticed. Report it, with the version of etcd."};

inline constexpr Message<Count, Count> restored{
    "CRNPD-CTL-006",
    level::warn,
    "an operator restored a dump: {} clients and {} removals",
    {"CLIENTS", "REMOVALS"},
    "Somebody ran crnpctl restore into a store without clients. All of it is durable."};

inline constexpr Message<Text> restoreRefused{
    "CRNPD-CTL-007",
    level::warn,
    "a dump that an operator wanted to restore was refused: {}",
    {"REASON"},
    "crnpctl restore has said the same. Unless the reason says otherwise nothing was changed."};

inline constexpr Message<Text> dumpFailed{"CRNPD-CTL-008",
                                          level::err,
                                          "a dump that an operator asked for could not be made: {}",
                                          {"REASON"},
                                          "crnpctl dump has said that its output is no dump. What is in "
                                          "memory cannot be what was stored: restart the "
                                          "server, which reads and checks the store, and report it."};

inline constexpr Message<Count, Text, Text, Text> eventPublished{
    "CRNPD-CTL-009",
    level::debug,
    "event {} was published over the control socket: {}/{} by {}",
    {"EVENT", "CLASS", "SUBCLASS", "PUBLISHER"},
    "It is durable and goes to every client that asked for it. Nothing to do."};

// --- events to clients -------------------------------------------------------------------------------

inline constexpr Message<Count, Text> eventDelivered{
    "CRNPD-DLV-001", level::debug, "event {} was delivered to {}", {"EVENT", "CLIENT"}, "Nothing to do."};

inline constexpr Message<Count, Text, Text, Count, Count> deliveryFailed{
    "CRNPD-DLV-002",
    level::warn,
    "event {} could not be delivered to {}: {} (failed attempt {} of {})",
    {"EVENT", "CLIENT", "REASON", "FAILURES", "LIMIT"},
    "It is tried again, and later events for this client wait. Refused: nothing listens at its callback "
    "port. Timed "
    "out: its machine or the network does not answer, or the program does not read. Reset: it closed without "
    "reading. "
    "Other clients are not held up."};

inline constexpr Message<Text, Count, Count> queueCollapsed{
    "CRNPD-DLV-003",
    level::warn,
    "{} is too slow: of {} events that waited for it only the {} that tell the current state are left",
    {"CLIENT", "WAITED", "LEFT"},
    "The client gets the latest event of each kind instead of all. Find out why it does not take its events. "
    "Raising limits.queue_events gives it more time, unless more than a million events wait."};

inline constexpr Message<Text, Count, Text> clientGivenUp{
    "CRNPD-DLV-004",
    level::warn,
    "{} was removed after {} failed attempts, the last one: {}",
    {"CLIENT", "FAILURES", "REASON"},
    "The client gets no more events until it registers again. See to the client; settings client_retry_count "
    "and "
    "client_retry_interval say how long it is tried."};

inline constexpr Message<Text> removalImpossible{
    "CRNPD-DLV-005",
    level::warn,
    "{} cannot be reached, but its removal could not be committed; it is tried again",
    {"CLIENT"},
    "The store does not take changes at the moment; other messages say why."};

inline constexpr Message<Count, Count> kindForgotten{
    "CRNPD-DLV-006",
    level::warn,
    "event {} is no longer remembered as a current state: there are more than {} kinds of events",
    {"EVENT", "LIMIT"},
    "Who registers later is not told of it. Some publisher invents names without end."};

inline constexpr Message<Text> deliveryOutOfDescriptors{
    "CRNPD-DLV-008",
    level::err,
    "no event can be sent at the moment: {}; it is tried again",
    {"REASON"},
    "Nothing is lost and no client is blamed. Raise LimitNOFILE= in the unit (or ulimit -n)."};

inline constexpr Message<Count, Count, Count> deliveryBegan{
    "CRNPD-DLV-009",
    level::info,
    "delivers events: {} are stored, {} clients are registered, {} of them have not everything yet",
    {"EVENTS", "CLIENTS", "BEHIND"},
    "Nothing to do."};

// -007 and -010 were of rows that could not be read.
inline constexpr Message<Text, Count, Text, Count> eventsMissed{
    "CRNPD-DLV-011",
    level::warn,
    "events may have been missed, says {} in event {}: {}; {} clients get the current state of what they "
    "asked for",
    {"PUBLISHER", "EVENT", "REASON", "CLIENTS"},
    "They know how things are, but not what else happened meanwhile. See why the publisher could not watch. "
    "After a restart or a takeover the line comes again, for clients that may not have had all by then."};

// --- the log itself ---------------------------------------------------------------------------------

inline constexpr Message<Text, Count> flood{"CRNPD-LOG-001",
                                            level::warn,
                                            "{}: … {} more",
                                            {"OF", "MORE"},
                                            "A message came so often that only its first lines of a second "
                                            "were written; this is the number of the others."};

inline constexpr Message<Count> linesLost{
    "CRNPD-LOG-002",
    level::warn,
    "{} lines were lost because the log's target did not take them in time",
    {"LINES"},
    "The server does not wait for its log. Look at the disk or the journal."};

inline constexpr Message<Text, Text> logNotReopened{
    "CRNPD-LOG-003",
    level::err,
    "{} could not be opened again: {}; the log goes on in the old file",
    {"FILE", "REASON"},
    "Mend the folder or its permissions and reload."};

// What docs/messages.md and its test need of a message.
struct Description {
    std::string_view id;
    level::level_enum level;
    std::string_view text;
    std::string_view advice;
};

template <typename... Args>
Description describe(const Message<Args...>& message) {
    const fmt::string_view text = message.text;
    return {message.id, message.level, {text.data(), text.size()}, message.advice};
}

// All of the above. One a line, so that two changes do not meet.
// clang-format off
inline auto all() {
    return std::array{
        describe(starting),
        describe(stopping),
        describe(stopped),
        describe(cannotStart),
        describe(fewDescriptors),
        describe(threadStuck),
        describe(loopFault),
        describe(reloaded),
        describe(reloadRefused),
        describe(restartNeeded),
        describe(reloadIgnored),
        describe(roleChanged),
        describe(storeOpened),
        describe(storeUnusable),
        describe(waitingForLock),
        describe(fillingCleared),
        describe(copyDiffers),
        describe(postUnreadable),
        describe(commitUnknown),
        describe(commitRefused),
        describe(outcomeNotFound),
        describe(storeReloaded),
        describe(storeStillBroken),
        describe(listening),
        describe(notListening),
        describe(cannotListen),
        describe(acceptPaused),
        describe(connectionsFull),
        describe(localNetworksChanged),
        describe(localNotWatched),
        describe(registered),
        describe(registrationRefused),
        describe(accessRefused),
        describe(ownAddress),
        describe(closedWithoutReply),
        describe(internalFault),
        describe(leftWithoutMessage),
        describe(controlListening),
        describe(controlUnavailable),
        describe(removedByOperator),
        describe(controlPaused),
        describe(controlClosed),
        describe(electionHindered),
        describe(leaseNotNoted),
        describe(copyRead),
        describe(copyReadAnew),
        describe(copyVerified),
        describe(copyOutOfStep),
        describe(restored),
        describe(restoreRefused),
        describe(dumpFailed),
        describe(eventPublished),
        describe(eventDelivered),
        describe(deliveryFailed),
        describe(queueCollapsed),
        describe(clientGivenUp),
        describe(removalImpossible),
        describe(kindForgotten),
        describe(deliveryOutOfDescriptors),
        describe(deliveryBegan),
        describe(eventsMissed),
        describe(flood),
        describe(linesLost),
        describe(logNotReopened)};
}
// clang-format on

}  // namespace crnpd::msg
