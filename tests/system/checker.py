# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Decides whether a history of messages and observations keeps the promise (P1 to P4 of the project):

P1  what was acknowledged stays: every later state is that or the effect of a later message
P2  a message without a reply was done or not, for good, and its repetition is answered as it would have been
P3  a refusal changed nothing
P4  no commit carries an older term than one before it, nor one that does not lead at that moment

A history of P1 to P3 is a list of entries, dicts that fit into JSON lines:

    {"client": "127.0.0.1:2001", "verb": "ADD_EVENTS", "events": ["A"], "code": "OK"}   code None: no reply
    {"client": "127.0.0.1:2001", "seen": ["A", "B"]}                                    seen None: not registered

in the order in which each client sent and was looked at; a client sends its next message only after the reply to
the one before, or after the process that had it is gone. Clients are independent of each other, so the entries of each
are walked through once, with the set of states that are possible at that point: at most two for each message
without a reply since the last look. Events here have a class and nothing else.

P4 is decided by what etcd says that was done, which no server's clock or log can contradict: a list of

    {"revision": 17, "leader": 17}                         the leader's key was made (its term), or None: it went
    {"revision": 18, "term": 17, "batch": 4, "rows": 2}    a commit of so many rows; without rows perhaps the last
                                                           one again, by which a leader shows its term
    {"revision": 19, "stray": 2}                           rows that changed without a commit, which must not be

in etcd's order.
"""
import collections

UNKNOWN = "unknown"  # never registered
REMOVED = "removed"  # not registered, and the removal is remembered

# Nothing was changed, whatever the message was.
REFUSALS = {"RETRY", "LOW_RESOURCE", "SYSTEM_ERROR", "INVALID", "MALFORMED", "VERSION_TOO_HIGH", "VERSION_TOO_LOW"}


def decide(state, verb, events):
    """Section 4 of docs/protocol.md: (code, next state)."""
    if verb == "ADD_CLIENT":
        return "OK", frozenset(events)
    if verb == "REMOVE_CLIENT":
        return ("FAIL", UNKNOWN) if state is UNKNOWN else ("OK", REMOVED)
    if state in (UNKNOWN, REMOVED):
        return "FAIL", state
    return "OK", state | set(events) if verb == "ADD_EVENTS" else state - set(events)


def visible(state):
    return None if state in (UNKNOWN, REMOVED) else sorted(state)


def after(possible, entry):
    """The states that are possible after the entry; none at all: the promise is broken."""
    if "seen" in entry:
        return {state for state in possible if visible(state) == entry["seen"]}
    decided = {state: decide(state, entry["verb"], entry["events"]) for state in possible}
    if entry["code"] is None:
        return possible | {state for _, state in decided.values()}
    if entry["code"] in REFUSALS:
        return possible
    return {state for code, state in decided.values() if code == entry["code"]}


def violations(history):
    """A text for each client whose entries cannot all be true."""
    by_client = collections.defaultdict(list)
    for entry in history:
        by_client[entry["client"]].append(entry)
    found = []
    for client, entries in sorted(by_client.items()):
        possible = {UNKNOWN}
        for place, entry in enumerate(entries):
            before, possible = possible, after(possible, entry)
            if not possible:
                expected = [state if isinstance(state, str) else sorted(state) for state in before]
                last = "\n    ".join(str(one) for one in entries[max(0, place - 8):place + 1])
                found.append(f"{client}: entry {place} is impossible; possible were {expected}; the last entries:\n    {last}")
                break
    return found


def fencing_violations(changes):
    """A text for each change that a server made which did not lead, or that does not follow the one before."""
    found, leader, highest, last = [], None, 0, None
    for change in changes:
        if "leader" in change:
            leader = change["leader"]
            if leader is not None and leader <= highest:
                found.append(f"revision {change['revision']}: the leadership of term {leader} comes after that of {highest}")
            highest = max(highest, leader or 0)
            continue
        if "stray" in change:
            found.append(f"revision {change['revision']}: {change['stray']} rows were changed outside of a commit")
            continue
        if change["term"] != leader:
            found.append(f"revision {change['revision']}: a commit of term {change['term']} while {leader or 'nobody'} leads")
        # Whoever reads everything puts its term to the last batch again, which changes no rows.
        next_one = last["batch"] + (1 if change["rows"] or change["batch"] != last["batch"] else 0) if last else 0
        if last and (change["term"] < last["term"] or change["batch"] != next_one):
            found.append(f"revision {change['revision']}: {change} comes after {last}")
        last = change
    return found
