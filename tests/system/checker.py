# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Decides whether a history of messages and observations keeps the promise (P1, P2 and P3 of the project):

P1  what was acknowledged stays: every later state is that or the effect of a later message
P2  a message without a reply was done or not, for good, and its repetition is answered as it would have been
P3  a refusal changed nothing

A history is a list of entries, dicts that fit into JSON lines:

    {"client": "127.0.0.1:2001", "verb": "ADD_EVENTS", "events": ["A"], "code": "OK"}   code None: no reply
    {"client": "127.0.0.1:2001", "seen": ["A", "B"]}                                    seen None: not registered

in the order in which each client sent and was looked at; a client sends its next message only after the reply to
the one before, or after the process that had it is gone. Clients are independent of each other, so the entries of each
are walked through once, with the set of states that are possible at that point: at most two for each message
without a reply since the last look. Events here have a class and nothing else.
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
